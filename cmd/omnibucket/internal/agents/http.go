package agents

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/webserver"
)

const (
	// tokenVariable is the environment variable that sets the token that clients must send.
	tokenVariable = "OMNIBUCKET_MCP_TOKEN"
	minToken      = 16 // bytes

	// path is the path of the server's URL. Clients expect it by convention.
	path = "/mcp"
	// maxWaiting is the largest number of accepted requests, including those that wait for their
	// turn. Further requests fail.
	maxWaiting = 1024
	// maxLarge is how many requests with a large body are processed at the same time. A body is
	// large if it is longer than largeBody or if its length is unknown. With the default of
	// --max-write, no body exceeds largeBody.
	maxLarge  = 2
	largeBody = 2<<20 + shortMessage
	// maxDrain is how many bytes of a too long message the server reads before it closes the
	// connection. Without that, the client might not see the response.
	maxDrain = 128 << 20
	// defaultBodyTime is how long a client may take to send the body of a request.
	defaultBodyTime = 30 * time.Second
	// defaultSendTime is how long a client may take to read a part of a response.
	defaultSendTime = 30 * time.Second
)

// serveHTTP serves clients over HTTP until ctx is done. It keeps no sessions: each request has one call,
// and its response the result.
func (s *server) serveHTTP(ctx context.Context, p *program.Program, f *flags) error {
	token, generated, err := tokenOf(p)
	if err != nil {
		return err
	}

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return err
	}
	defer listener.Close()

	if generated {
		// The user knows the token only from this output.
		_, _ = fmt.Fprintf(
			p.Around.Err, "# The token of clients is valid until this server ends:\nexport %s=%s\n",
			tokenVariable, token,
		)
	}
	if !isLoopback(listener.Addr()) {
		_, _ = fmt.Fprintln(
			p.Around.Err,
			"# The token travels without TLS: put a proxy with TLS in front of this server.",
		)
	}
	p.PrintURL("http://" + webserver.ReachableAddress(listener.Addr()) + path)

	guarded := webserver.Guard(listener.Addr(), webserver.WithOwnHost(f.domains), s.handler(token))
	return webserver.Serve(ctx, listener, s.setDeadlines(guarded))
}

// isLoopback reports whether only programs on this machine can reach an address.
func isLoopback(addr net.Addr) bool {
	tcpAddr, ok := addr.(*net.TCPAddr)
	return ok && tcpAddr.IP.IsLoopback()
}

// tokenOf returns the token in the environment or, if it has none, a new one, for which generated is true.
func tokenOf(p *program.Program) (token string, generated bool, err error) {
	token, _ = p.Around.Lookup(tokenVariable)
	if token == "" {
		return rand.Text(), true, nil
	}

	hasOtherCharacters := strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(token) < minToken || hasOtherCharacters {
		return "", false, argument.Invalid(tokenVariable+" must have at least 16 letters, digits and signs",
			"leave it out to get a new token")
	}
	return token, false, nil
}

// handler serves requests that have the token, and refuses those that a web page of another origin sends.
func (s *server) handler(token string) http.Handler {
	protocol := mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return s.protocol },
		&mcp.StreamableHTTPOptions{
			Stateless:                    true,
			JSONResponse:                 true,
			PropagateRequestCancellation: true,
			MaxRequestBodyBytes:          int64(s.maxMessage()),
			// webserver.Guard checks the Host header, and permits the names of --domain.
			DisableLocalhostProtection: true,
		},
	)

	mux := http.NewServeMux()
	mux.Handle(path, withToken(token, s.limitRequests(protocol)))
	return http.NewCrossOriginProtection().Handler(mux)
}

// withToken returns a handler that refuses requests without the token, and passes others to next.
func withToken(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(value))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the header Authorization must have the token of this server", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limitRequests limits how many requests are in memory, and lets some more wait. It refuses a batch of
// calls, whose responses would all be in memory at the same time.
func (s *server) limitRequests(next http.Handler) http.Handler {
	// These channels are semaphores: each has one value for each request that it has admitted.
	waiting := make(chan struct{}, maxWaiting)
	slots := make(chan struct{}, s.rules.concurrency)
	largeSlots := make(chan struct{}, maxLarge)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A request that may not even wait is refused at once.
		select {
		case waiting <- struct{}{}:
			defer func() { <-waiting }()
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests wait", http.StatusServiceUnavailable)
			return
		}

		// A body that is too long by its header is not read into memory.
		isTooLong := r.ContentLength > int64(s.maxMessage())
		if isTooLong {
			webserver.Refuse(r.Context(), w, r.Body, maxDrain, func() {
				tooLong(w)
			})
			return
		}

		// A body of unknown length may be large, too.
		hasUnknownLength := r.ContentLength < 0
		mayBeLarge := hasUnknownLength || r.ContentLength > largeBody
		if mayBeLarge && s.maxMessage() > largeBody {
			if !acquire(r.Context(), largeSlots) {
				return
			}
			defer func() { <-largeSlots }()
		}
		if !acquire(r.Context(), slots) {
			return
		}
		defer func() { <-slots }()

		// The time for the body begins now, because the request may have waited.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.bodyTime))
		message, err := s.readMessage(w, r)
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}

		r = r.WithContext(withEnd(r.Context()))
		r.Body = io.NopCloser(bytes.NewReader(message))
		next.ServeHTTP(w, r)
	})
}

// acquire waits for a free slot, and returns false if ctx is done first.
func acquire(ctx context.Context, slots chan<- struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// tooLong responds that a message is too long, with a Content-Length, which package drain requires.
func tooLong(w http.ResponseWriter) {
	text := errLong.Error()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(http.StatusRequestEntityTooLarge)
	// An error means that the client has disconnected.
	_, _ = io.WriteString(w, text)
}

// readMessage returns the body of a request. It fails if the server does not accept the message, for example because it
// would need much memory to decode.
func (s *server) readMessage(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// With MinRead bytes more than the body needs, ReadFrom does not make the buffer grow.
	message := bytes.NewBuffer(make([]byte, 0, max(0, r.ContentLength)+bytes.MinRead))
	body := http.MaxBytesReader(w, r.Body, int64(s.maxMessage()))
	if _, err := message.ReadFrom(body); err != nil {
		return nil, err
	}
	// The body is complete, so its deadline ends. If it passed during the call, it would cancel the call, as
	// if the client had disconnected.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})

	// The SDK responds itself to a message that cannot be decoded.
	_, err := parseMessage(message.Bytes())
	if err != nil && !errors.Is(err, errNoMessage) {
		return nil, err
	}
	return message.Bytes(), nil
}

// statusOf returns the HTTP status for a message that was refused with err.
func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.Is(err, errLong) || errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// setDeadlines sets deadlines for the bodies of requests and responses, even of clients without a token. Without them, a
// client that does not read its response would block the requests of others.
func (s *server) setDeadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection := http.NewResponseController(w)
		// A connection keeps the write deadline of its previous response.
		_ = connection.SetWriteDeadline(time.Time{})
		_ = connection.SetReadDeadline(time.Now().Add(s.bodyTime))
		next.ServeHTTP(&response{ResponseWriter: w, connection: connection, sendTime: s.sendTime}, r)
	})
}

// A response is a [http.ResponseWriter] that sets a new deadline for each write. The last deadline
// also applies to the bytes that net/http still buffers.
type response struct {
	http.ResponseWriter
	connection *http.ResponseController
	sendTime   time.Duration
	isStarted  bool // true after the first write
	hasFailed  bool // true if the status is that of an error
}

// Unwrap returns the underlying writer, which [http.ResponseController] needs.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader sends the status. With that of an error, it makes the connection close, because the client
// may still be sending its request.
func (r *response) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		r.hasFailed = true
		r.Header().Set("Connection", "close")
		_ = r.connection.SetReadDeadline(time.Now())
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body. If the response is an error, it sends only the first part,
// shortened, although it reports all parts as written.
func (r *response) Write(p []byte) (int, error) {
	_ = r.connection.SetWriteDeadline(time.Now().Add(r.sendTime))
	if r.hasFailed && r.isStarted {
		// The client has the beginning of the error already.
		return len(p), nil
	}

	part := p
	if !r.isStarted {
		part = shortenErrorJSON(p, r.hasFailed)
		r.isStarted = true
	}
	n, err := r.ResponseWriter.Write(part)
	if err != nil {
		// A shortened part may be longer than p, because of its escapes.
		return min(n, len(p)), err
	}
	return len(p), nil
}

// shortenErrorJSON shortens the error in a response to maxError bytes, and returns any other message as it is. The response
// is JSON. If hasFailed is true, its status is that of an error, and it may also be plain text.
func shortenErrorJSON(p []byte, hasFailed bool) []byte {
	if len(p) <= maxError {
		return p
	}
	// A response with a result has no error. A text in JSON cannot contain this name, because quotation marks are
	// escaped there.
	if bytes.Contains(p, []byte(`"result":`)) {
		return p
	}

	message, err := jsonrpc.DecodeMessage(p)
	if err != nil {
		isPlainText := hasFailed
		if isPlainText {
			return []byte(beginning(string(p)))
		}
		return p
	}
	short, err := jsonrpc.EncodeMessage(shortenError(message))
	if err != nil {
		return p
	}
	return short
}
