package s3server

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const hostID = "b3duLXMzLXNlcnZlci1mb3ItdGVzdHM="

// A request is one request on its way through the server.
type request struct {
	*http.Request
	server *Handler
	w      http.ResponseWriter
	id     string
	target
	operation string
	query     url.Values
	caller    caller
	rule      *Rule // nil: none applies
	drained   bool
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	r := &request{Request: in, server: h, w: w, id: newRequestID()}
	header := w.Header()
	header.Set("Server", "AmazonS3")
	header.Set("X-Amz-Request-Id", r.id)
	header.Set("X-Amz-Id-2", hostID)

	handle, err := r.route()
	r.rule = h.rules.match(r.operation, r.bucket, r.key)
	recorded := h.recorder.begin(r)
	answer := &answerWriter{ResponseWriter: w, request: r}
	r.w = answer
	defer func() { h.recorder.end(recorded, answer.status) }()

	if err == nil {
		err = r.run(handle)
	}
	if err != nil {
		r.corsHeaders()
		r.writeError(asRefusal(err))
	}
	answer.finish()
}

// run is what every operation has in common.
func (r *request) run(handle func(*request) error) error {
	if err := r.rule.early(r); err != nil {
		return err
	}
	if r.operation != "Preflight" && r.operation != "PostObject" {
		if err := r.authenticate(); err != nil {
			return err
		}
		if err := r.authorize(); err != nil {
			return err
		}
		const payer, requester = "x-amz-request-payer", "requester"
		if r.server.config.RequesterPays && r.Header.Get(payer) != requester && r.query.Get(payer) != requester {
			return refuse("AccessDenied")
		}
	}
	if err := r.rule.late(r); err != nil {
		return err
	}
	r.corsHeaders()
	return handle(r)
}

// route finds out what is asked for.
func (r *request) route() (func(*request) error, error) {
	r.operation = "Unknown"
	var err error
	if r.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	if r.target, err = r.server.locate(r.Request); err != nil {
		return nil, err
	}
	name, handle := r.choose()
	if handle == nil {
		if name != "" {
			return nil, refuse("NotImplemented", "Resource", name).say("This server has no %s", name)
		}
		return nil, refuse("MethodNotAllowed", "Method", r.Method, "ResourceType", r.target.kind())
	}
	r.operation = name
	return handle, nil
}

// parseQuery is url.ParseQuery with semicolons as S3 takes them.
func parseQuery(raw string) (url.Values, error) {
	query := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, refuse("InvalidURI")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, refuse("InvalidURI")
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

// number reads a parameter that is a count; absent it is fallback.
func (r *request) number(parameter string, fallback int) (int, error) {
	value := r.query.Get(parameter)
	if value == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, refuse("InvalidArgument", "ArgumentName", parameter, "ArgumentValue", value).
			say("Argument %s must be an integer between 0 and 2147483647", parameter)
	}
	return n, nil
}

// send writes the body of an answer, whose length is known.
func (r *request) send(body []byte) { _, _ = r.w.Write(body) }

// done answers without a body.
func (r *request) done(status int) error {
	r.w.WriteHeader(status)
	return nil
}

// drain reads what is left of the body, so that a client that is still sending
// gets the answer and no reset connection. One that waits for "100 Continue"
// sends nothing, and needs no draining.
func (r *request) drain() {
	const most = 64 << 20
	if !r.drained && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, most)
	}
	r.drained = true
}

func newRequestID() string { return rand.Text()[:16] }
