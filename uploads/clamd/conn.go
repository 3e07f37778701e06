package clamd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/omnibucket/storage/internal/running"
)

const (
	pause = 20 * time.Millisecond // time between two attempts to connect

	chunkBytes   = 64 << 10
	lengthBytes  = 4
	longestReply = 4 << 10 // bytes
)

// These are the replies to INSTREAM that contain no name of a signature.
const (
	clean    = "stream: OK"
	exceeded = "INSTREAM size limit exceeded. ERROR"
)

// A contentError wraps an error from reading the content, to distinguish it from errors of clamd.
type contentError struct{ error }

// A conn is a connection for one command. When its context ends, its reads and writes fail.
type conn struct {
	net.Conn
	in      *bufio.Reader // reads from Conn
	timeout time.Duration
	stop    func() bool   // keeps the end of the context from closing Conn; false means that it is too late
	closed  chan struct{} // closed when the end of the context has closed Conn
}

// dial connects to clamd. It retries while the queue of a UNIX socket is full, because connecting then
// fails instead of waiting.
func (s *Scanner) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.prompt)
	defer cancel()

	var dialer net.Dialer
	var busyErr error // says that the queue is full; nil before the first attempt
	for {
		c, err := dialer.DialContext(ctx, s.address.network, s.address.name)
		if busyErr != nil && isTimeout(err) {
			// The earlier error says more.
			return nil, busyErr
		}
		if !isBusy(err) {
			return c, err
		}

		busyErr = err
		if running.Sleep(ctx, pause) != nil {
			return nil, busyErr
		}
	}
}

// connect returns a connection that is closed when ctx ends. timeout limits each read and each write.
func (s *Scanner) connect(ctx context.Context, timeout time.Duration) (*conn, error) {
	nc, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}

	// c.close waits for this function if it has begun.
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		// A Read or Write in progress fails then.
		_ = nc.Close()
	})
	return &conn{Conn: nc, in: bufio.NewReader(nc), timeout: timeout, stop: stop, closed: closed}, nil
}

// isBusy reports whether the queue of clamd's socket was full.
func isBusy(err error) bool { return errors.Is(err, syscall.EAGAIN) }

// isTimeout reports whether the time to connect has passed.
func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout() && !isBusy(err)
}

// close ends the goroutine of the connection, and closes it.
func (c *conn) close() {
	isStopped := c.stop()
	if !isStopped {
		// The context has ended, and the goroutine of AfterFunc closes the connection.
		<-c.closed
	}
	// An error of Close does not matter: the reply, if any, was read before.
	_ = c.Close()
}

// command sends the named command, which has no arguments, returns the reply, and closes c.
func (c *conn) command(name string) (string, error) {
	defer c.close()

	// The prefix z selects commands and replies that end in a zero byte.
	if err := c.send([]byte("z" + name + "\x00")); err != nil {
		return "", err
	}
	return c.reply()
}

// A content is the file to scan. *storage.ReaderAt implements it.
type content interface {
	io.ReadSeeker
	Size() int64 // bytes
}

// scan sends content, returns the reply, and closes c. It returns a contentError if content cannot be read.
func (c *conn) scan(content content) (string, error) {
	defer c.close()

	_, err := content.Seek(0, io.SeekStart)
	if err != nil {
		return "", contentError{err}
	}

	// Send the content, or only a part of it if clamd replies earlier.
	if err := c.sendContent(content); err != nil {
		// If clamd has closed the connection, its reply may say why.
		return c.replyAfterError(err)
	}
	if c.hasReplied() {
		return c.earlyReply()
	}

	// An empty chunk ends the stream.
	if err := c.send(make([]byte, lengthBytes)); err != nil {
		return c.replyAfterError(err)
	}
	return c.reply()
}

// replyAfterError returns the reply that clamd has sent, although the content could not be sent because of sendErr. If
// a stream is too long, clamd replies and closes the connection before the stream ends. Without such a reply, it
// returns sendErr.
func (c *conn) replyAfterError(sendErr error) (string, error) {
	_, isUnreadable := sendErr.(contentError)
	if isUnreadable || errors.Is(sendErr, os.ErrDeadlineExceeded) {
		return "", sendErr
	}
	reply, err := c.earlyReply()
	if err != nil {
		return "", sendErr
	}
	return reply, nil
}

// sendContent sends the command INSTREAM and all of content, in chunks that begin with their length. If
// content cannot be read to its end, it returns a contentError.
func (c *conn) sendContent(content content) error {
	if err := c.send([]byte("zINSTREAM\x00")); err != nil {
		return err
	}

	buf := make([]byte, lengthBytes+chunkBytes)
	remaining := content.Size()
	for {
		n, readErr := io.ReadFull(content, buf[lengthBytes:])
		remaining -= int64(n) // below 0 if the content is longer than its Size
		// ReadFull returns one of these errors if content ends before the buffer is full.
		isEnd := readErr == io.EOF || readErr == io.ErrUnexpectedEOF
		if isEnd && remaining != 0 {
			return contentError{readErr}
		}
		if readErr != nil && !isEnd {
			return contentError{readErr}
		}

		if n > 0 {
			// A chunk begins with its length.
			binary.BigEndian.PutUint32(buf, uint32(n))
			if err := c.send(buf[:lengthBytes+n]); err != nil {
				return err
			}
		}
		if isEnd {
			return nil
		}
	}
}

// hasReplied reports whether clamd has replied already, without waiting for a reply.
func (c *conn) hasReplied() bool {
	// A Read with a deadline in the past fails even if bytes have arrived.
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.in.Peek(1)
	return err == nil
}

// earlyReply returns a reply that came before the end of the stream. It fails if the reply says that the
// file is clean, which clamd cannot know yet.
func (c *conn) earlyReply() (string, error) {
	reply, err := c.reply()
	if err == nil && reply == clean {
		return "", errors.New("clamd replied before it had the whole file")
	}
	return reply, err
}

// send writes p to the connection within the timeout.
func (c *conn) send(p []byte) error {
	// SetWriteDeadline fails only if the connection is closed. Write then fails, too.
	_ = c.SetWriteDeadline(time.Now().Add(c.timeout))
	_, err := c.Write(p)
	if err != nil {
		return fmt.Errorf("clamd takes no data: %w", err)
	}
	return nil
}

// reply reads one reply, which ends in a zero byte, and fails if more bytes follow.
func (c *conn) reply() (string, error) {
	// SetReadDeadline fails only if the connection is closed. Read then fails, too.
	_ = c.SetReadDeadline(time.Now().Add(c.timeout))

	buf := make([]byte, longestReply)
	for length := 0; length < len(buf); {
		n, err := c.in.Read(buf[length:])
		length += n
		text, rest, hasEnd := bytes.Cut(buf[:length], []byte{0})
		if hasEnd && len(rest) > 0 {
			return "", unexpected(string(buf[:length]))
		}
		if hasEnd {
			return string(text), nil
		}
		if err == io.EOF {
			return "", fmt.Errorf("clamd closed the connection after %d bytes of a reply", length)
		}
		if err != nil {
			return "", fmt.Errorf("clamd does not reply: %w", err)
		}
	}
	return "", unexpected(string(buf))
}

// signatureIn returns the name of the virus signature that a reply reports, or "" if it reports none.
func signatureIn(reply string) string {
	result, hasPrefix := strings.CutPrefix(reply, "stream: ")
	name, hasSuffix := strings.CutSuffix(result, " FOUND")
	if !hasPrefix || !hasSuffix || !isPrintable(name) {
		return ""
	}
	return name
}

// isUnscanned reports whether the signature is not a virus, but means that clamd could not scan the
// file. clamd reports such signatures if AlertExceedsMax or AlertEncrypted is set.
func isUnscanned(signature string) bool {
	return strings.HasPrefix(signature, "Heuristics.Limits.Exceeded") ||
		strings.HasPrefix(signature, "Heuristics.Encrypted.")
}

func isVersion(reply string) bool { return strings.HasPrefix(reply, "ClamAV ") && isPrintable(reply) }

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// unexpected returns the error for a reply that is unknown or is an error of clamd.
func unexpected(reply string) error {
	const most = 200
	return fmt.Errorf("clamd replied %q", reply[:min(len(reply), most)])
}
