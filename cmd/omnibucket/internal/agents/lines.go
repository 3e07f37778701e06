package agents

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
)

const (
	// openCalls limits the calls of tools that a client may send before it gets responses. The
	// largest number is the product of openCalls and s.rules.concurrency.
	openCalls = 2
	// openOthers limits the requests that call no tool, such as ping. It is how many of them a
	// client may send before it gets responses.
	openOthers = 64
	// openBytes bounds the bytes of all calls that still wait for a response. With the default of
	// --max-write, even the largest calls fit.
	openBytes = 36 << 20

	codeBusy = -32000 // in the range that JSON-RPC reserves for server errors
)

// serveLines serves one client until the input ends or ctx is done. Each line is a message.
func (s *server) serveLines(ctx context.Context, src io.Reader, output *console.Output) error {
	transport := &lines{
		in:       src,
		out:      output,
		maxLine:  s.maxMessage(),
		maxCalls: openCalls * s.rules.concurrency,
		open:     map[jsonrpc.ID]int{},
		messages: make(chan jsonrpc.Message),
		closed:   make(chan struct{}),
	}

	// With this context, calls in progress are canceled when ctx is done.
	err := s.protocol.Run(withEnd(ctx), transport)
	// An interrupt is the usual end of a server.
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// A lines is an MCP transport over lines of text. It is also the only connection of that transport.
// The SDK's transport does not limit the calls that a client sends without reading responses. It
// also accepts batches, and keeps all responses of a batch in memory.
type lines struct {
	in       io.Reader
	out      *console.Output
	maxLine  int
	maxCalls int

	messages chan jsonrpc.Message // messages for Read, from readAll
	readErr  error                // why readAll ended; set before messages is closed
	closed   chan struct{}
	closing  sync.Once

	writeLock sync.Mutex // held while a line is written

	mu sync.Mutex
	// open has each request that waits for its response, by the id of the request. For a call of a
	// tool, the value is the size of the call in bytes. For any other request, the value is 0.
	open  map[jsonrpc.ID]int
	calls int // number of tool calls that wait for a response
	bytes int // total size of the tool calls that wait for a response
}

// Connect implements [mcp.Transport].
func (l *lines) Connect(context.Context) (mcp.Connection, error) {
	go l.readAll()
	return l, nil
}

// SessionID implements [mcp.Connection].
func (l *lines) SessionID() string { return "" }

// readAll reads the messages in the input and passes them to Read, until the connection is closed or the
// input ends.
func (l *lines) readAll() {
	defer close(l.messages)
	r := bufio.NewReader(l.in)
	for {
		line, err := readLine(r, l.maxLine)
		if err != nil && !errors.Is(err, errLong) {
			l.readErr = err
			return
		}

		var message jsonrpc.Message
		if err == nil {
			message, err = l.decode(line)
		}
		if err != nil {
			// The client receives the error, and may send another line.
			if refuseErr := l.refuse(err); refuseErr != nil {
				l.readErr = refuseErr
				return
			}
			continue
		}
		isEmptyLine := message == nil
		if isEmptyLine {
			continue
		}

		select {
		case l.messages <- message:
		case <-l.closed:
			return
		}
	}
}

// readLine reads a line of at most limit bytes. After a longer line, it fails with errLong, and can read
// the next one.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	exceedsLimit := false
	for {
		part, err := r.ReadSlice('\n')
		// A line that is too long is read to its end, but not kept.
		if len(line)+len(part) > limit {
			exceedsLimit = true
		}
		if !exceedsLimit {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			// The next read returns more of the line.
			continue
		}

		// The last line of the input may have no line end.
		isLastLine := errors.Is(err, io.EOF) && len(line) > 0
		if err != nil && !isLastLine {
			return nil, err
		}
		if exceedsLimit {
			return nil, errLong
		}
		return line, nil
	}
}

// decode returns the message in a line, or nil if the line is empty. It registers a request that needs a response.
func (l *lines) decode(line []byte) (jsonrpc.Message, error) {
	message, err := parseMessage(line)
	if err != nil {
		return nil, err
	}
	if r, ok := message.(*jsonrpc.Request); ok && r.IsCall() {
		return message, l.begin(r, len(line))
	}
	return message, nil
}

// begin registers a request that waits for its response, and whose line has this size in bytes. It refuses
// the request if too many wait, or if one of them has the same id.
func (l *lines) begin(r *jsonrpc.Request, size int) error {
	l.mu.Lock()
	defer l.mu.Unlock()

	if _, isOpen := l.open[r.ID]; isOpen {
		return &refusedCall{
			id:     r.ID,
			code:   jsonrpc.CodeInvalidRequest,
			reason: "a call without a response has the same id",
		}
	}

	if r.Method == methodCall {
		return l.beginToolCall(r, size)
	}
	otherRequests := len(l.open) - l.calls
	if otherRequests == openOthers {
		return busy(r)
	}
	// Only the sizes of tool calls count.
	l.open[r.ID] = 0
	return nil
}

// beginToolCall registers the call of a tool, unless too many calls or bytes wait for a response. The
// caller must hold l.mu.
func (l *lines) beginToolCall(r *jsonrpc.Request, size int) error {
	// A call that waits alone may be larger than openBytes.
	hasNoRoom := l.calls > 0 && l.bytes+size > openBytes
	if hasNoRoom || l.calls == l.maxCalls {
		return busy(r)
	}

	l.open[r.ID] = size
	l.calls++
	l.bytes += size
	return nil
}

// busy returns the error of a request that came before enough others had a response.
func busy(r *jsonrpc.Request) error {
	return &refusedCall{id: r.ID, code: codeBusy, reason: "too many open calls; wait for responses"}
}

// end records that a request gets its response, and so makes room for others.
func (l *lines) end(id jsonrpc.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()

	// Only calls of tools have a size.
	size := l.open[id]
	isToolCall := size > 0
	if isToolCall {
		l.calls--
		l.bytes -= size
	}
	delete(l.open, id)
}

// Read returns the next message. It implements [mcp.Connection].
func (l *lines) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case message, ok := <-l.messages:
		if !ok {
			// The reading of the input has ended with this error.
			return nil, l.readErr
		}
		return message, nil
	case <-l.closed:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Write sends a message. It implements [mcp.Connection].
func (l *lines) Write(ctx context.Context, message jsonrpc.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	line, err := jsonrpc.EncodeMessage(shortenError(message))
	if err != nil {
		return err
	}

	l.writeLock.Lock()
	defer l.writeLock.Unlock()
	// The call ends before the write, because the client may send its next call as soon as it reads the response.
	if response, ok := message.(*jsonrpc.Response); ok {
		l.end(response.ID)
	}
	return l.writeLine(line)
}

// refuse sends the client an error response to a line that was refused.
func (l *lines) refuse(reason error) error {
	line, err := responseTo(reason)
	if err != nil {
		return err
	}

	l.writeLock.Lock()
	defer l.writeLock.Unlock()
	return l.writeLine(line)
}

// writeLine writes a line and its end. The caller must hold writeLock.
func (l *lines) writeLine(line []byte) error {
	_, err := l.out.Write(append(line, '\n'))
	l.out.Flush()
	if l.out.Err != nil {
		return l.out.Err
	}
	return err
}

// Close closes the connection and ends a blocked read. It implements [mcp.Connection].
func (l *lines) Close() error {
	l.closing.Do(func() {
		close(l.closed)
		// To close a pipe ends a read that is blocked.
		if closer, ok := l.in.(io.Closer); ok {
			_ = closer.Close()
		}
	})
	return nil
}
