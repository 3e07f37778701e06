package main

import (
	"context"
	"io"
	"os"
)

// input returns standard input as a body. If it is a file, the body is that file,
// which is uploaded without a copy. Otherwise a Read may block forever, so the body
// fails when ctx is done, and nothing is stored.
func (p *program) input(ctx context.Context) (body io.Reader, release func()) {
	if file, ok := p.in.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return file, func() {}
		}
	}
	reader, writer := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(writer, p.in)
		_ = writer.CloseWithError(err) // nil is EOF
	}()
	return reader, func() {
		stop()
		_ = reader.Close()
	}
}
