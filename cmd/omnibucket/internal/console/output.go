// Package console prints on standard output and terminals: lines, progress, sizes.
package console

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
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
)

// An Output is standard output. It buffers what is written, unless it is a terminal. After a write
// error it keeps that error and cancels the command, because nobody reads the output any longer.
type Output struct {
	dst      *bufio.Writer
	Terminal bool
	cancel   func()
	Err      error

	mu    sync.Mutex
	above io.Writer // prints above a progress bar, or nil
}

// NewOutput returns an output to w. It calls giveUp when w fails.
func NewOutput(w io.Writer, giveUp func()) *Output {
	return &Output{dst: bufio.NewWriterSize(w, 64<<10), Terminal: IsTerminal(w), cancel: giveUp}
}

// Write implements io.Writer. It writes above the progress bar, if there is one, and returns the first error of the
// output from then on.
func (o *Output) Write(p []byte) (int, error) {
	if above := o.bar(); above != nil {
		return above.Write(p)
	}

	n, err := o.dst.Write(p)
	o.fail(err)
	if o.Terminal {
		// People want to see each line at once.
		o.Flush()
	}
	return n, o.Err
}

// Redirect makes later writes appear above the bars if the output is a terminal. With nil, writes go directly to the
// output again.
func (o *Output) Redirect(bars *mpb.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.above = nil
	if bars != nil && o.Terminal {
		o.above = bars
	}
}

func (o *Output) bar() io.Writer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.above
}

// Flush writes the buffered output.
func (o *Output) Flush() { o.fail(o.dst.Flush()) }

// Printf prints formatted text. The Output keeps a write error, so Printf does not return it.
func (o *Output) Printf(format string, arguments ...any) {
	_, _ = fmt.Fprintf(o, format, arguments...)
}

// JSON prints a value as one line of JSON.
func (o *Output) JSON(value any) error {
	encoder := json.NewEncoder(o)
	encoder.SetEscapeHTML(false) // signed URLs contain "&"
	return encoder.Encode(value)
}

// Printable returns a name as it may be printed, which means that a terminal gets no control characters.
func (o *Output) Printable(name string) string {
	if o.Terminal {
		return Printable(name)
	}
	return name
}

// Table prints rows of a name and a value, aligned in columns. It leaves out rows with an empty value.
func (o *Output) Table(rows [][2]string) error {
	w := tabwriter.NewWriter(o, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		if row[1] != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", row[0], o.Printable(row[1]))
		}
	}
	return w.Flush()
}

// fail records the first error of a write, if err is one, and cancels the command.
func (o *Output) fail(err error) {
	if err == nil || o.Err != nil {
		return
	}
	o.Err = err
	o.cancel()
}

// Printable replaces by "?" the characters that a terminal would interpret, or that change how the text around them
// looks.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
}

// IsTerminal reports whether w writes to a terminal.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	// /dev/null is a character device, too.
	return ok && cupwriter.New(file, false).IsTerminal()
}

// IsBrokenPipe reports whether err means that the reader of a pipe has closed it.
func IsBrokenPipe(err error) bool {
	const brokenPipe, noData = syscall.Errno(109), syscall.Errno(232) // error numbers of Windows
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) ||
		runtime.GOOS == "windows" && (errors.Is(err, brokenPipe) || errors.Is(err, noData))
}
