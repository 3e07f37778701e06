package clamd_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/clamd"
)

// A server speaks the protocol of clamd. It reads a command, calls its function for that command
// with the connection, and then closes the connection.
type server struct {
	address string
	scan    func(c *client)
	ping    func(c *client) // nil means "PONG"
}

// A client is the server's end of a connection.
type client struct {
	net.Conn
	in *bufio.Reader
}

// startServer runs a server until the test ends, and waits for all of its functions.
func startServer(t *testing.T, network string, s *server) *server {
	t.Helper()

	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "clamd") // t.TempDir is too long on some systems
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		address = filepath.Join(dir, "socket")
	}

	listener, err := net.Listen(network, address)
	require.NoError(t, err)
	s.address = network + "://" + listener.Addr().String()

	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				s.answer(&client{c, bufio.NewReader(c)})
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return s
}

// answer reads one command of the client, and replies to it.
func (s *server) answer(c *client) {
	command, _ := c.in.ReadString(0)
	switch {
	case command == "zINSTREAM\x00" && s.scan != nil:
		s.scan(c)
	case command == "zPING\x00" && s.ping != nil:
		s.ping(c)
	case command == "zPING\x00":
		c.say("PONG\x00")
	case command == "zVERSION\x00":
		c.say("ClamAV 1.4.6/27700/Wed Jul 16 08:39:51 2025\x00")
	}
}

func (c *client) say(text string) { _, _ = io.WriteString(c, text) }

// receive returns the content of a stream that has ended.
func (c *client) receive() (string, error) {
	var content strings.Builder
	err := c.receiveTo(&content)
	return content.String(), err
}

// receiveTo copies the chunks of a stream to content, until the empty chunk that ends it.
func (c *client) receiveTo(content io.Writer) error {
	for {
		var length [4]byte
		if _, err := io.ReadFull(c.in, length[:]); err != nil {
			return err
		}
		if length == [4]byte{} {
			return nil
		}
		if _, err := io.CopyN(content, c.in, int64(binary.BigEndian.Uint32(length[:]))); err != nil {
			return err
		}
	}
}

// drain waits until the client closes the connection.
func (c *client) drain() { _, _ = io.Copy(io.Discard, c.in) }

// replies returns a function that receives a file and replies.
func replies(text string) func(*client) {
	return func(c *client) {
		if _, err := c.receive(); err == nil {
			c.say(text)
		}
	}
}

// A fixture has a Scanner, and what the Scanner has passed to OnAccept and OnFound.
type fixture struct {
	scanner  *clamd.Scanner
	accepted []error
	found    []string
}

// newScanner returns a fixture with a new Scanner, and collects what that Scanner reports by
// OnAccept and OnFound. All files of these tests have the key "name".
func newScanner(t *testing.T, config clamd.Config) *fixture {
	t.Helper()
	f := &fixture{}
	if config.IfDown == clamd.Accept {
		config.OnAccept = func(_ context.Context, file *uploads.File, err error) {
			require.Equal(t, "name", file.Key)
			f.accepted = append(f.accepted, err)
		}
	}
	config.OnFound = func(_ context.Context, file *uploads.File, signature string) {
		require.Equal(t, "name", file.Key)
		f.found = append(f.found, signature)
	}

	var err error
	f.scanner, err = clamd.New(config)
	require.NoError(t, err)
	return f
}

// newContent returns a reader of an object.
func newContent(t *testing.T, bucket storage.Bucket, content string) *storage.ReaderAt {
	t.Helper()
	_, err := bucket.Upload(t.Context(), "staged", strings.NewReader(content))
	require.NoError(t, err)
	r, err := storage.NewReaderAt(t.Context(), bucket, "staged")
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (f *fixture) scan(t *testing.T, content string) error {
	t.Helper()
	return f.scanner.Inspect(t.Context(), &uploads.File{Key: "name"}, newContent(t, memstore.New(), content))
}

var errNone = errors.New("none")

// codes returns the code of err if err is an *uploads.Error, and otherwise the code of its
// *storage.Error.
func codes(err error) any {
	if code := uploads.CodeOf(err); code != "" {
		return code
	}
	if err == nil {
		return errNone
	}
	return storage.CodeOf(err)
}

// requireNamelessRefusal requires that the error of a refusal names the signature that was found,
// but that its message for the client does not.
func requireNamelessRefusal(t *testing.T, err error, found string) {
	t.Helper()
	refusal, ok := errors.AsType[*uploads.Error](err)
	if !ok {
		return
	}
	require.Equal(t, "file", refusal.Field)
	require.NotEmpty(t, refusal.Message)
	require.Contains(t, refusal.Error(), found)
	if found != "" {
		require.NotContains(t, refusal.Message, found)
	}
}

// Inspect turns each possible reply of clamd into success, a refusal or an error.
func TestInspectReplies(t *testing.T) {
	none := func(*client) {} // clamd closes the connection
	const soon = 50 * time.Millisecond
	gaveUp := make(chan struct{}) // gets a value when a client has given up a scan
	tests := []struct {
		name         string
		size         int           // of the content; at least 100
		timeout      time.Duration // Config.Timeout
		prompt       time.Duration // within which clamd must reply to PING; 0 means the usual one
		scan, ping   func(*client) // what clamd does
		want         any           // code of the error with IfDown: Refuse
		wantAccepted bool          // whether the file passes with IfDown: Accept
		wantFound    string        // signature that OnFound gets
	}{
		// Valid replies.
		{name: "clean", want: errNone, scan: replies("stream: OK\x00")},
		{
			name: "clean, byte by byte",
			want: errNone,
			scan: func(c *client) {
				_, _ = c.receive()
				for _, b := range "stream: OK\x00" {
					c.say(string(b))
				}
			},
		},
		{
			name:      "found",
			want:      uploads.Refused,
			wantFound: "Win.Test.EICAR_HDB-1",
			scan:      replies("stream: Win.Test.EICAR_HDB-1 FOUND\x00"),
		},
		{
			name:      "found, with the hash of the file",
			want:      uploads.Refused,
			wantFound: "Eicar(44d88612:68)",
			scan:      replies("stream: Eicar(44d88612:68) FOUND\x00"),
		},
		{
			name:      "found, before the stream ends",
			size:      8 << 20,
			want:      uploads.Refused,
			wantFound: "Eicar",
			scan: func(c *client) {
				c.say("stream: Eicar FOUND\x00")
			},
		},
		{
			name:      "a limit",
			want:      uploads.Refused,
			wantFound: "Heuristics.Limits.Exceeded.MaxFiles",
			scan:      replies("stream: Heuristics.Limits.Exceeded.MaxFiles FOUND\x00"),
		},

		// In these cases, the content is too large for clamd.
		{
			name: "above StreamMaxLength",
			want: uploads.TooLarge,
			scan: replies("INSTREAM size limit exceeded. ERROR\x00"),
		},
		{
			name: "above StreamMaxLength, before the stream ends",
			size: 8 << 20,
			want: uploads.TooLarge,
			scan: func(c *client) {
				_, _ = io.CopyN(io.Discard, c.in, 100_000)
				c.say("INSTREAM size limit exceeded. ERROR\x00")
			},
		},

		// In these cases, clamd does not reply to the whole content.
		{
			name: "clean, before the stream ends",
			size: 8 << 20,
			want: storage.Unavailable,
			scan: func(c *client) {
				c.say("stream: OK\x00")
			},
		},
		{
			name: "no reply, and closes",
			want: storage.Unavailable,
			scan: func(c *client) {
				_, _ = c.receive()
			},
		},
		{
			name:    "no reply, and closes only one half",
			timeout: soon,
			want:    storage.Unavailable,
			scan: func(c *client) {
				_, _ = c.receive()
				_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
				c.drain()
			},
		},
		{name: "no reply, and stays", timeout: soon, want: storage.Unavailable, scan: (*client).drain},
		{
			name:    "takes no data",
			size:    8 << 20,
			timeout: soon,
			want:    storage.Unavailable,
			scan: func(*client) {
				<-gaveUp
			},
			ping: func(c *client) {
				gaveUp <- struct{}{}
				c.say("PONG\x00")
			},
		},
		{name: "closes after the command", size: 8 << 20, want: storage.Unavailable, scan: none},

		// These replies are errors, or are not valid.
		{name: "a reply without an end", want: storage.Unavailable, scan: replies("stream: OK")},
		{
			name:    "a reply that ends in a line break",
			timeout: soon,
			want:    storage.Unavailable,
			scan:    replies("stream: OK\n"),
		},
		{name: "a line break too much", want: storage.Unavailable, scan: replies("stream: OK\n\x00")},
		{name: "two replies", want: storage.Unavailable, scan: replies("stream: OK\x00stream: Eicar FOUND\x00")},
		{name: "a reply of a session", want: storage.Unavailable, scan: replies("1: stream: OK\x00")},
		{name: "another case", want: storage.Unavailable, scan: replies("stream: ok\x00")},
		{name: "an empty reply", want: storage.Unavailable, scan: replies("\x00")},
		{name: "no signature", want: storage.Unavailable, scan: replies("stream: FOUND\x00")},
		{name: "an empty signature", want: storage.Unavailable, scan: replies("stream:  FOUND\x00")},
		{
			name: "a signature that is not printable",
			want: storage.Unavailable,
			scan: replies("stream: a\x1b[2Jb FOUND\x00"),
		},
		{name: "an error", want: storage.Unavailable, scan: replies("stream: Can't allocate memory ERROR\x00")},
		{name: "an unknown command", want: storage.Unavailable, scan: replies("UNKNOWN COMMAND\x00")},
		{name: "an endless reply", want: storage.Unavailable, scan: replies(strings.Repeat("stream: OK", 1000))},
		{name: "HTTP", want: storage.Unavailable, scan: replies("HTTP/1.1 400 Bad Request\r\n\r\n\x00")},

		// In these cases, clamd does not answer PING with PONG, or the scanner does not send PING.
		{name: "down: closes", want: storage.Unavailable, wantAccepted: true, scan: none, ping: none},
		{
			name:         "down: does not reply",
			timeout:      soon,
			prompt:       soon,
			want:         storage.Unavailable,
			wantAccepted: true,
			scan:         (*client).drain,
			ping:         (*client).drain,
		},
		{
			name:         "down: PING has another reply",
			want:         storage.Unavailable,
			wantAccepted: true,
			scan:         none,
			ping: func(c *client) {
				c.say("PANG\x00")
			},
		},
		{
			name: "PING is not asked after a reply",
			want: storage.Unavailable,
			scan: replies("an error ERROR\x00"),
			ping: none,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, network := range []string{"unix", "tcp"} {
				s := startServer(t, network, &server{scan: tt.scan, ping: tt.ping})
				for _, policy := range []clamd.Policy{clamd.Refuse, clamd.Accept} {
					f := newScanner(t, clamd.Config{Address: s.address, IfDown: policy, Timeout: tt.timeout})
					if tt.prompt > 0 {
						f.scanner.SetPrompt(tt.prompt)
					}

					err := f.scan(t, strings.Repeat("x", max(tt.size, 100)))
					require.Equal(t, tt.wantFound, strings.Join(f.found, ", "))
					if tt.wantAccepted && policy == clamd.Accept {
						// The file passes, and OnAccept gets the error.
						require.NoError(t, err)
						require.Len(t, f.accepted, 1)
						require.Equal(t, storage.Unavailable, storage.CodeOf(f.accepted[0]))
						continue
					}

					require.Equal(t, tt.want, codes(err), "%v", err)
					require.Empty(t, f.accepted)
					requireNamelessRefusal(t, err, tt.wantFound)
				}
			}
		})
	}
}
