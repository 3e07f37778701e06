package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
)

// An output is standard output, buffered unless it is a terminal. It keeps the first
// error and then cancels the command, because nobody reads its output.
type output struct {
	to       *bufio.Writer
	terminal bool
	cancel   func()
	err      error

	mu    sync.Mutex
	above io.Writer // prints above a progress bar, or nil
}

func newOutput(w io.Writer, giveUp func()) *output {
	return &output{to: bufio.NewWriterSize(w, 64<<10), terminal: isTerminal(w), cancel: giveUp}
}

func (o *output) Write(p []byte) (int, error) {
	if above := o.bar(); above != nil {
		return above.Write(p)
	}
	n, err := o.to.Write(p)
	o.fail(err)
	if o.terminal {
		o.flush()
	}
	return n, o.err
}

// redirect prints on a terminal through a progress bar, until it is called with nil.
func (o *output) redirect(above *mpb.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.above = nil
	if above != nil && o.terminal {
		o.above = above
	}
}

func (o *output) bar() io.Writer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.above
}

func (o *output) flush() { o.fail(o.to.Flush()) }

func (o *output) fail(err error) {
	if err != nil && o.err == nil {
		o.err = err
		o.cancel()
	}
}

// printf prints to standard output, which keeps the error.
func (p *program) printf(format string, arguments ...any) {
	_, _ = fmt.Fprintf(p.out, format, arguments...)
}

// json prints one object in a line.
func (p *program) json(value any) error {
	encoder := json.NewEncoder(p.out)
	encoder.SetEscapeHTML(false) // signed URLs contain "&"
	return encoder.Encode(value)
}

// printable returns a name as it is printed: without control characters if standard
// output is a terminal.
func (p *program) printable(name string) string {
	if p.out.terminal {
		return printable(name)
	}
	return name
}

// printable replaces characters that a terminal interprets, or that make other text
// look different.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && cwriter.IsTerminal(int(file.Fd())) // /dev/null is a character device, too
}

// isBrokenPipe reports whether err means that the reader of a pipe has closed it.
func isBrokenPipe(err error) bool {
	const brokenPipe, noData = syscall.Errno(109), syscall.Errno(232) // error numbers of Windows
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) ||
		runtime.GOOS == "windows" && (errors.Is(err, brokenPipe) || errors.Is(err, noData))
}
