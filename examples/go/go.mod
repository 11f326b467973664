module lctx.example

go 1.18
