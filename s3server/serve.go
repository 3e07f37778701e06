package s3server

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/drain"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

const hostID = "b3duLXMzLXNlcnZlci1mb3ItdGVzdHM="

// A request is the state of one request in progress.
type request struct {
	in        *http.Request
	server    *Handler
	w         http.ResponseWriter
	id        string
	target    target
	operation string
	query     url.Values
	caller    caller
	found     *state.Bucket // the bucket; nil until it is looked up
	looked    lookedAt      // version whose permissions were checked; kept until the request reads it
	fault     *Fault        // noFault if no fault applies
	body      *impatientBody
	events    []Event        // events that are sent when the request succeeds
	failure   *s3error.Error // error of the response, or nil

	// In each of these channels, the request occupies a place until it calls leave (see enter). The
	// channels limit how many large documents and listings are handled at the same time.
	places []chan struct{}
}

// ServeHTTP handles one request, for S3 or for the admin API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if administers(h, req) {
		h.admin.ServeHTTP(w, req)
		return
	}
	// Change a copy, because a handler must not change the original.
	req = req.WithContext(req.Context())
	if req.Body == nil {
		req.Body = http.NoBody // an http.Server always sets Body, but other callers may leave it nil
	}
	r := &request{in: req, server: h, w: w, id: newRequestID()}
	header := w.Header()
	header.Set("Server", "AmazonS3 (omnibucket)") // the S3 client of this library recognizes the server by this
	header.Set("X-Amz-Request-Id", r.id)
	header.Set("X-Amz-Id-2", hostID)

	log := r.logged()
	handle, err := r.route()
	r.fault = cmp.Or(h.faults.Match(r.operation, r.target.bucket, r.target.key), &noFault)
	// Date shows the clock by which the server checks the time of a signature.
	header.Set("Date", r.now().Format(http.TimeFormat))
	r.body = &impatientBody{ReadCloser: r.in.Body, control: http.NewResponseController(w), idle: h.limits.IdleTimeout}
	r.in.Body = r.body
	recorded := h.recorder.begin(r)
	response := &responseWriter{ResponseWriter: w, request: r}
	r.w = response
	if req.ContentLength == 0 && req.ProtoMajor == 1 && strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
		// net/http sends no "100 Continue" if there is no body. boto3 would then misread the next
		// response on the connection.
		w.WriteHeader(http.StatusContinue)
	}
	defer func() {
		r.leave()
		h.store.Release(r.looked.version)
		h.recorder.end(recorded, response.status)
		log(response)
	}()

	if err == nil {
		err = r.run(handle)
	}
	if err != nil {
		r.corsHeaders()
		failure := asAPIError(err)
		r.failure = failure
		r.writeError(failure)
	}
	response.finish()
}

// authenticatesItself has the operations for which the method run checks no signature. Some of
// these operations need no signature. The others check the signature themselves.
var authenticatesItself = []string{"Preflight", "PostObject", "GetWebsiteDocument", "AssumeRole"}

// run does everything that all operations have in common, and then calls handle.
func (r *request) run(handle func(*request) error) error {
	if err := r.fault.beforeAuth(r); err != nil {
		return err
	}
	if !slices.Contains(authenticatesItself, r.operation) {
		if err := r.authenticate(); err != nil {
			return err
		}
		hoistParameters(r)
		if err := r.authorize(); err != nil {
			return err
		}
		if err := checkOwner(r, r.in.Header); err != nil {
			return err
		}
		if err := checkPayer(r, r.target.bucket, r.in.Header); err != nil {
			return err
		}
	}
	if err := r.fault.afterAuth(r); err != nil {
		return err
	}
	if err := headers.Check(r.operation, r.in.Header, r.server.config.Strict); err != nil {
		return err
	}
	if err := checkParameters(r); err != nil {
		return err
	}
	r.corsHeaders()
	defer publish(r) // also if a fault cuts the response
	return handle(r)
}

// route sets the operation and the target of the request, and returns the operation's handler.
func (r *request) route() (func(*request) error, error) {
	r.operation = "Unknown"
	err := checkHead(r)
	if err != nil {
		return nil, err
	}
	if locateWebsite(r) {
		return websiteHandler(r), nil
	}
	if r.query, err = parseQuery(r.in.URL.RawQuery); err != nil {
		return nil, err
	}
	if r.target, err = r.server.locate(r.in); err != nil {
		return nil, err
	}
	name, handle := chooseOperation(r)
	if handle == nil {
		if name != "" {
			return nil, s3error.New("NotImplemented", "Resource", name).WithMessage("This server does not implement %s", name)
		}
		return nil, s3error.New("MethodNotAllowed", "Method", r.in.Method, "ResourceType", r.target.kind())
	}
	r.operation = name
	return handle, nil
}

// parseQuery is like [url.ParseQuery], but accepts semicolons, as S3 does.
func parseQuery(raw string) (url.Values, error) {
	query := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, s3error.New("InvalidURI")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, s3error.New("InvalidURI")
		}
		query[name] = append(query[name], value)
	}
	return query, nil
}

// has reports whether the request has a query parameter, with or without a value.
func (r *request) has(parameter string) bool {
	_, ok := r.query[parameter]
	return ok
}

// isTrue reports whether the value of a header is true. boto3 before version 1.38 sends "True".
func isTrue(header http.Header, name string) bool { return strings.EqualFold(header.Get(name), "true") }

// number returns the value of a query parameter, which must be at least 0. Without the parameter,
// it returns fallback.
func (r *request) number(parameter string, fallback int) (int, error) {
	value := r.query.Get(parameter)
	if value == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, s3error.New("InvalidArgument", "ArgumentName", parameter, "ArgumentValue", value).
			WithMessage("Argument %s must be an integer between 0 and 2147483647", parameter)
	}
	return n, nil
}

// done responds with a status and no body.
func (r *request) done(status int) error {
	r.w.WriteHeader(status)
	return nil
}

// refuse sends the response that the given function writes. If the client is still sending the
// body, refuse also reads the rest of the body. Otherwise, the client could get a connection reset
// in place of the response. A client that waits for "100 Continue" sends no body.
func (r *request) refuse(respond func()) {
	const most = 64 << 20
	waits := r.in.Header.Get("Expect") != "" && !r.body.read
	if waits || r.fault.DropResponse || r.body.err != nil || r.body.ReadCloser == http.NoBody {
		respond()
		return
	}
	drain.Respond(r.in.Context(), r.w, r.body.ReadCloser, most, respond)
}

// now returns the time of the server, changed by Fault.ClockSkew.
func (r *request) now() time.Time { return r.server.now().Add(r.fault.ClockSkew) }

func newRequestID() string { return rand.Text()[:16] }
