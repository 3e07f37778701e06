package s3server

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/drain"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

const hostID = "b3duLXMzLXNlcnZlci1mb3ItdGVzdHM="

// A request is one request in progress.
type request struct {
	in        *http.Request
	server    *Handler
	w         http.ResponseWriter
	id        string
	target    target
	operation string
	query     url.Values
	caller    caller
	found     *state.Bucket // nil until the bucket is needed
	looked    lookedAt      // zero unless permissions were checked for a version that was not read yet
	fault     *Fault        // noFault if none applies
	body      *impatientBody
	events    []Event        // events that the request has caused
	failure   *s3error.Error // error of the response, or nil

	places []chan struct{} // places that the request has taken for large documents and listings, until leave
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	if administers(h, in) {
		h.admin.ServeHTTP(w, in)
		return
	}
	in = in.WithContext(in.Context()) // a copy, because a handler must not change the original
	if in.Body == nil {
		in.Body = http.NoBody // the caller is not a server
	}
	r := &request{in: in, server: h, w: w, id: newRequestID()}
	header := w.Header()
	header.Set("Server", "AmazonS3 (omnibucket)") // package s3 recognizes the server by it
	header.Set("X-Amz-Request-Id", r.id)
	header.Set("X-Amz-Id-2", hostID)

	log := r.logged()
	handle, err := r.route()
	r.fault = cmp.Or(h.faults.Match(r.operation, r.target.bucket, r.target.key), &noFault)
	header.Set("Date", r.now().Format(http.TimeFormat)) // the clock with which signatures are compared
	r.body = &impatientBody{ReadCloser: r.in.Body, control: http.NewResponseController(w), idle: h.limits.IdleTimeout}
	r.in.Body = r.body
	recorded := h.recorder.begin(r)
	response := &responseWriter{ResponseWriter: w, request: r}
	r.w = response
	if in.ContentLength == 0 && in.ProtoMajor == 1 && strings.EqualFold(in.Header.Get("Expect"), "100-continue") {
		// net/http does not send it if there is no body, and boto3 then misreads the next response of the
		// connection.
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

// run does the work that all operations share.
func (r *request) run(handle func(*request) error) error {
	if err := r.fault.beforeAuth(r); err != nil {
		return err
	}
	if r.operation != "Preflight" && r.operation != "PostObject" && r.operation != "GetWebsiteDocument" {
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

// route finds the operation and the target.
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

// parseQuery is url.ParseQuery, but accepts semicolons as S3 does.
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

// has reports whether a query parameter is there, with or without a value.
func (r *request) has(parameter string) bool {
	_, found := r.query[parameter]
	return found
}

// isTrue reports whether a header is true. boto3 before 1.38 writes "True".
func isTrue(header http.Header, name string) bool { return strings.EqualFold(header.Get(name), "true") }

// number returns a parameter that is a count, or fallback without it.
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

// done sends a response without a body.
func (r *request) done(status int) error {
	r.w.WriteHeader(status)
	return nil
}

// refuse sends a response, perhaps before the body was read: a client that is still sending must get
// the response, and not a connection reset. A client that waits for "100 Continue" sends nothing.
func (r *request) refuse(respond func()) {
	const most = 64 << 20
	waits := r.in.Header.Get("Expect") != "" && !r.body.read
	if waits || r.fault.DropResponse || r.body.err != nil || r.body.ReadCloser == http.NoBody {
		respond()
		return
	}
	drain.Respond(r.in.Context(), r.w, r.body.ReadCloser, most, respond)
}

// now returns the time of the server, which a fault may move.
func (r *request) now() time.Time { return r.server.now().Add(r.fault.ClockSkew) }

func newRequestID() string { return rand.Text()[:16] }
