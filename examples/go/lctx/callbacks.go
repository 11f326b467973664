package lctx

// #include "shim.h"
import "C"

import (
	"io"
	"runtime/cgo"
	"unsafe"
)

// What a call in C goes through to Go: how it failed, or what it panicked with, which is raised
// again once C has returned.
type told struct {
	call  func(done, total int64) bool
	out   io.Writer
	in    io.Reader
	err   error
	panic any
}

// guard runs a step of a callback; a panic may not pass through C.
func (t *told) guard(step func() bool) (stop C.int) {
	defer func() {
		if t.panic = recover(); t.panic != nil {
			stop = 1
		}
	}()
	if step() {
		return 1
	}
	return 0
}

// raise gives the error of a callback, or else that of the call.
func (t *told) raise(err error) error {
	if t == nil {
		return err
	}
	failed, panicked := t.err, t.panic
	t.err, t.panic = nil, nil
	if panicked != nil {
		panic(panicked)
	}
	if failed != nil {
		return failed
	}
	return err
}

func toldBy(user C.uintptr_t) *told { return cgo.Handle(user).Value().(*told) }

//export lctxProgress
func lctxProgress(user C.uintptr_t, done, total C.int64_t) C.int {
	t := toldBy(user)
	return t.guard(func() bool { return t.call(int64(done), int64(total)) })
}

//export lctxWrite
func lctxWrite(user C.uintptr_t, data unsafe.Pointer, n C.size_t) C.int {
	t := toldBy(user)
	return t.guard(func() bool {
		_, t.err = t.out.Write(unsafe.Slice((*byte)(data), int(n)))
		return t.err != nil
	})
}

//export lctxRead
func lctxRead(user C.uintptr_t, data unsafe.Pointer, n C.size_t) C.int {
	t := toldBy(user)
	return t.guard(func() bool {
		_, t.err = io.ReadFull(t.in, unsafe.Slice((*byte)(data), int(n)))
		return t.err != nil
	})
}
