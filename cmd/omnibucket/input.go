package main

import (
	"context"
	"io"
	"os"
)

// input is standard input as a body. A file is given as it is, to be read in
// place. Anything else may wait for ever for somebody to type: when ctx is done
// its reader fails, so that nothing is stored, whatever the Read under way does.
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
		_ = writer.CloseWithError(err) // nil is the end
	}()
	return reader, func() {
		stop()
		_ = reader.Close()
	}
}
