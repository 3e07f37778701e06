// Package console serves a web page that shows the buckets of any store, through any layer. It
// shows folders, previews, details, versions and removed objects, and makes links for others. If
// [Config].Write is set, users can also upload, rename, remove and restore objects.
//
//	source := console.One(storage.BucketInfo{Name: "photos"}, bucket)
//	page, err := console.New(source, console.Config{Token: rand.Text()})
//	http.Serve(listener, page)
//
// # Who can use the page
//
// Everybody who knows the address of the page can use it. With a Token, nobody can guess the
// address. Without one, the program itself must decide who reaches the handler. In both cases, the
// page refuses unknown host names (DNS rebinding), requests that a page of another site has caused
// (cross-site request forgery), and frames (clickjacking).
//
// # Objects from strangers
//
// The page shows names, metadata and texts only as text. A browser receives the bytes of an object
// only from an address that is signed and expires after some hours. It shows pictures, sound, films
// and PDFs, and saves all other objects as files. Nothing in these responses runs, because they are
// in a sandbox without an origin. Browsers cannot show a PDF in a sandbox. So PDFs have a preview
// only with [Config].ContentURL, at an origin that serves nothing else.
package console

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/uploads"
)

// A Page is an additional tab of the web page. A script of the program ([Config].Script) shows it.
type Page struct {
	Name  string `json:"name"`  // part of the tab's address, in small ASCII letters
	Title string `json:"title"` // label of the tab
}

// Config says what the page offers.
type Config struct {
	// Title is the heading of the page. If it is "", the heading is the name of the only bucket, or
	// "Buckets".
	Title string
	// Write, if true, lets users change objects. Otherwise each change fails with PermissionDenied.
	Write bool
	// Token is the first segment of the path of each address. It may have only letters, digits, "-"
	// and "_". If it is "", the page is at the root, and the program itself must decide who reaches
	// the handler.
	Token string
	// Authorize reports whether a request may use the page. If it returns false, it must have sent
	// a response. If Authorize is nil, everybody may use the page.
	Authorize func(w http.ResponseWriter, r *http.Request) bool
	// Hosts are the host names that browsers may use for the page, in addition to IP addresses and
	// localhost.
	Hosts []string
	// ContentURL is an address of another origin, such as "http://127.0.0.1:9001", where the
	// program serves [Handler.Content]. If it is "", objects are served at the page's own origin,
	// in a sandbox.
	ContentURL string

	// Pages, Script and API extend the page. Script is a JavaScript module that shows the Pages.
	// API handles the requests of that script at /api/x/, after the same checks as for other
	// requests.
	Pages  []Page
	Script []byte
	API    http.Handler

	// Now returns the time, for addresses that expire. If it is nil, time.Now is used.
	Now func() time.Time
}

// A Handler serves the page. Several goroutines may use it at the same time.
type Handler struct {
	source     Source
	config     Config
	onlyBucket string // name of the only bucket, or ""
	key        [32]byte
	handler    http.Handler

	open     openUploads
	archives archives

	mu       sync.Mutex
	services map[string]*uploads.Service // services for large uploads, by bucket
}

// New returns a handler that serves the page of a source. It makes no request. If Token or ContentURL is not valid, it
// fails with InvalidArgument.
func New(source Source, c Config) (*Handler, error) {
	if source == nil {
		return nil, invalidArgument("source", "must not be nil")
	}
	hasOtherLetters := strings.Trim(c.Token, tokenLetters) != ""
	if hasOtherLetters {
		return nil, invalidArgument("Config.Token", "must have only letters, digits, - and _")
	}
	if c.ContentURL != "" && !isContentOrigin(c.ContentURL) {
		return nil, invalidArgument(
			"Config.ContentURL",
			"must be an address without a path, with a name or an IPv4 address, such as http://127.0.0.1:9001",
		)
	}

	if c.Now == nil {
		c.Now = time.Now
	}

	h := &Handler{
		source:   source,
		config:   c,
		open:     openUploads{now: c.Now},
		services: map[string]*uploads.Service{},
	}

	// A source of one bucket needs no list of buckets.
	if one, ok := source.(oneBucket); ok {
		h.onlyBucket = one.info.Name
	}
	// Read never fails.
	_, _ = rand.Read(h.key[:])

	// With a token, the whole page is below a path that only its user knows.
	h.handler = h.guard(h.routes())
	if c.Token != "" {
		h.handler = mountBelow("/"+c.Token, h.handler)
	}
	return h, nil
}

// isContentOrigin reports whether an address may be the ContentURL. A content security policy cannot
// name an IPv6 address, which is in brackets.
func isContentOrigin(address string) bool {
	return isOrigin(address) && !strings.Contains(address, "[")
}

// ServeHTTP serves the page and the requests of its script.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.handler.ServeHTTP(w, r) }

// Close aborts the large uploads that are not complete. Call it after the last request, and before
// you close the buckets. Without Close, the parts of these uploads stay in the store.
func (h *Handler) Close(ctx context.Context) error {
	// This time is after the last request of every upload.
	return h.open.abort(ctx, h.config.Now().Add(time.Nanosecond))
}

// routes returns the handler of the page's files, API, objects and uploads.
func (h *Handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h.files())
	if h.config.ContentURL == "" {
		mux.Handle("GET /content", h.Content())
	}

	// The functions that the page's script calls.
	answers := map[string]answerFunc{
		"GET /api/info":     h.info,
		"GET /api/buckets":  h.buckets,
		"GET /api/bucket":   h.bucket,
		"GET /api/list":     h.list,
		"GET /api/find":     h.find,
		"GET /api/size":     h.size,
		"GET /api/removed":  h.listRemoved,
		"GET /api/versions": h.listVersions,
		"GET /api/object":   h.object,
		"GET /api/text":     h.text,
		"POST /api/link":    h.link,
		"POST /api/archive": h.archive,
		"POST /api/copy":    h.requireWrite(h.copy),
		"POST /api/move":    h.requireWrite(h.move),
		"POST /api/remove":  h.requireWrite(h.remove),
		"POST /api/restore": h.requireWrite(h.restore),
		"PUT /api/tags":     h.requireWrite(h.setTags),
		"PUT /api/upload":   h.requireWrite(h.upload),
	}
	for pattern, answer := range answers {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			respond(w, r, answer)
		})
	}

	mux.HandleFunc("GET /archive/{id}", h.sendArchive)
	mux.HandleFunc("/uploads/{bucket}/{key}/", h.serveUploads)
	if h.config.API != nil {
		mux.Handle("/api/x/", http.StripPrefix("/api/x", h.config.API))
	}
	return mux
}

// mountBelow returns a handler that removes path from the beginning of a request's path and calls next.
// It responds with 404 to a request that is not below path.
func mountBelow(path string, next http.Handler) http.Handler {
	handler := http.StripPrefix(path, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, path+"/") && isClean(r.URL.EscapedPath()) {
			handler.ServeHTTP(w, r)
			return
		}
		setSecurityHeaders(w.Header())
		closeConnection(w, r)
		http.Error(w, "there is nothing at this address: use the one that the program has printed", http.StatusNotFound)
	})
}
