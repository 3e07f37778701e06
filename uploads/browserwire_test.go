package uploads_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

// A wire stands between the browser and a server. It counts the bytes of files, cuts a
// connection in the middle of a body, or holds bodies for some time.
type wire struct {
	next http.Handler

	mu       sync.Mutex
	sent     int64         // bytes of bodies since the wire was last set
	whole    int           // bodies that arrived completely since then
	limit    int64         // the number of bytes after which something happens; 0: nothing does
	hold     bool          // bodies are held from there on, else one is cut
	hit      chan struct{} // closed when the limit is reached
	released chan struct{} // closed when bodies are no longer held
}

// pass lets all bodies pass from now on, also those that are held.
func (w *wire) pass() { w.set(0, false) }

// cutAt cuts the connection of one body when all bodies together have this number of bytes.
func (w *wire) cutAt(limit int64) { w.set(limit, false) }

// holdAt stops all bodies when they have this number of bytes together. It returns a channel that is closed then.
func (w *wire) holdAt(limit int64) (hit <-chan struct{}) { return w.set(limit, true) }

// set releases all held bodies, and starts to count bytes from 0. If limit is not 0, the wire holds
// all bodies after limit bytes, or cuts one of them.
func (w *wire) set(limit int64, hold bool) (hit <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.released != nil {
		close(w.released)
	}

	w.sent = 0
	w.whole = 0
	w.limit = limit
	w.hold = hold
	w.hit = make(chan struct{})
	w.released = make(chan struct{})
	return w.hit
}

func (w *wire) wholeBodies() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.whole
}

func (w *wire) bytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// arrived counts n bytes of a body. If the limit is reached, either cut is true, or the body must wait until the
// channel hold is closed.
func (w *wire) arrived(n int) (cut bool, hold <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.sent += int64(n)
	if w.limit == 0 || w.sent < w.limit {
		return false, nil
	}

	select {
	case <-w.hit: // closed already
	default:
		close(w.hit)
	}

	if w.hold {
		return false, w.released
	}
	w.limit = 0 // only one body is cut
	return true, nil
}

// ServeHTTP passes a request on, and holds or cuts the body of a PUT or PATCH as set says.
func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut && r.Method != http.MethodPatch {
		w.next.ServeHTTP(rw, r)
		return
	}

	body := &wireBody{ReadCloser: r.Body, wire: w, gone: r.Context().Done()}
	r.Body = body
	w.next.ServeHTTP(rw, r)
	if body.isCut() {
		panic(http.ErrAbortHandler) // closes the connection without a response
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole++
}

type wireBody struct {
	io.ReadCloser
	wire *wire
	gone <-chan struct{}

	mu  sync.Mutex
	cut bool
}

var errConnectionCut = errors.New("the test cut the connection")

// Read reads from the body, unless the wire holds or cuts it.
func (b *wireBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	cut, hold := b.wire.arrived(n)
	if hold != nil && n > 0 {
		select {
		case <-hold:
		case <-b.gone:
			cut = true
		}
	}
	if !cut {
		return n, err
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = true
	return 0, errConnectionCut
}

func (b *wireBody) isCut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cut
}

// proxyTo returns a proxy that passes requests to a store in another process.
func proxyTo(endpoint *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = endpoint.Scheme
			r.Out.URL.Host = endpoint.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler)
		},
	}
}

// proxyToGoogle returns a proxy that passes requests to fake-gcs-server. That server knows only its
// own host. The proxy adds what that server lacks and Google has: an ETag in responses, and a CORS
// rule that shows the ETag to pages.
func proxyToGoogle(endpoint *url.URL) http.Handler {
	proxy := proxyTo(endpoint)
	rewrite := proxy.Rewrite
	proxy.Rewrite = func(r *httputil.ProxyRequest) {
		rewrite(r)
		r.Out.Host = ""
	}
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Access-Control-Expose-Headers", "ETag")
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
		var object struct{ MD5Hash []byte }
		if json.Unmarshal(text, &object) == nil {
			r.Header.Set("ETag", fmt.Sprintf(`"%x"`, object.MD5Hash))
		}
		return nil
	}
	return proxy
}
