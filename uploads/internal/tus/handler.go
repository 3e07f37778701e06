// Package tus receives files by tus 1.0 and by the IETF's draft of resumable uploads. Its main type is
// [Handler].
package tus

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/partsize"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

const (
	version      = "1.0.0"
	extensions   = "creation,creation-with-upload,creation-defer-length,expiration,termination,checksum,concatenation"
	offsetStream = "application/offset+octet-stream"
)

// A Handler handles requests of the tus protocol and of the IETF's draft of resumable uploads.
type Handler struct {
	Store     *session.Store
	Uploads   Uploads
	Memory    *intake.Memory
	Authorize func(*http.Request) (session.User, error)
	BaseURL   string // Config.BaseURL
	MaxSize   int64  // largest size of a file in bytes; 0 means that only the store limits it
	Pace      Pace
}

// Uploads begins and ends uploads by the rules of the service.
type Uploads interface {
	// Load returns the session with this ID, if it belongs to this user.
	Load(ctx context.Context, id string, user session.User) (*session.Session, error)
	// Begin returns a new session, which is not saved.
	Begin(r *http.Request, user session.User, kind string, n session.Request, sizeField string) (*session.Session, error)
	// Reserve reserves room for the file, in place of the reservations with the other names. Unreserve
	// releases it if the session was not saved because of err.
	Reserve(ctx context.Context, s *session.Session, replaces ...string) error
	Unreserve(ctx context.Context, s *session.Session, err error)
	// BeginUpload begins the multipart upload of a session in the store.
	BeginUpload(ctx context.Context, s *session.Session, extra ...storage.MultipartOption) (storage.MultipartUpload, error)
	// FirstTarget returns the Target for the first object that has the bytes of a session.
	FirstTarget(s *session.Session) session.Target
	// PossibleKeys returns all keys under which the file of a session may be.
	PossibleKeys(s *session.Session) []string
	// Finish ends an upload whose bytes have arrived, and Abort any other.
	Finish(ctx context.Context, s *session.Session, make session.Maker) (*session.Session, error)
	Abort(ctx context.Context, s *session.Session) error
}

// A call is a request of the tus protocol or of the IETF's draft.
type call struct {
	*intake.Call
	name        string          // name of the call in the registry
	interrupted <-chan struct{} // closed when another request wants to continue the upload
	last        bool            // true if this body ends the file, even if its length was not announced
}

// serveUser calls f after it has found out which user sends the request.
func (t *Handler) serveUser(c *call, f func(*call) error) error {
	user, err := t.Authorize(c.Request)
	if err != nil {
		return err
	}
	c.User = user
	return f(c)
}

// Register calls the function handle for each route.
func (t *Handler) Register(handle func(pattern string, f func(*intake.Call) error)) {
	for _, pattern := range []string{"/tus", "/tus/{$}", "/tus/{id}"} {
		handle(pattern, t.serve)
	}
}

// serve responds to a request of the tus protocol or of the IETF's draft.
func (t *Handler) serve(req *intake.Call) error {
	name, interrupted, leave := t.Store.Calls.Enter()
	defer leave()
	c := &call{Call: req, name: name, interrupted: interrupted}
	if method := c.Header.Get("X-HTTP-Method-Override"); method != "" {
		c.Method = strings.ToUpper(method)
	}

	// Only responses of tus have the header Tus-Resumable.
	header := req.W.Header()
	isDraft := c.isDraft()
	if !isDraft {
		header.Set("Tus-Resumable", version)
	}

	// Both protocols share the response to OPTIONS.
	if c.Method == http.MethodOptions {
		t.writeOptions(c)
		return nil
	}
	if isDraft {
		return t.serveDraft(c)
	}

	// The client speaks another version, so name the one that is known.
	if c.Header.Get("Tus-Resumable") != version {
		header.Set("Tus-Version", version)
		err := refusal.New("Tus-Resumable", refusal.CodeInvalidRequest, "Only version "+version+" of the tus protocol is known.")
		err.Status = http.StatusPreconditionFailed
		return err
	}
	return t.serveTus(c)
}

// serveTus responds to a request of the tus protocol, except OPTIONS.
func (t *Handler) serveTus(c *call) error {
	if c.PathValue("id") == "" {
		if c.Method != http.MethodPost {
			return c.MethodNotAllowed("OPTIONS, POST")
		}
		return t.serveUser(c, t.post)
	}
	switch c.Method {
	case http.MethodHead:
		return t.serveUser(c, t.head)
	case http.MethodPatch:
		return t.serveUser(c, t.patch)
	case http.MethodDelete:
		return t.serveUser(c, t.deleteUpload)
	default:
		return c.MethodNotAllowed("DELETE, HEAD, OPTIONS, PATCH")
	}
}

// writeOptions responds to OPTIONS with what both protocols support here.
func (t *Handler) writeOptions(c *call) {
	t.setLimit(c, nil)
	header := c.W.Header()
	header.Set("Accept-Patch", offsetStream+", "+partialUpload)
	header.Set("Tus-Version", version)
	header.Set("Tus-Extension", extensions)
	header.Set("Tus-Checksum-Algorithm", checksumNames())
	if t.MaxSize > 0 {
		header.Set("Tus-Max-Size", strconv.FormatInt(t.MaxSize, 10))
	}
	c.W.WriteHeader(http.StatusNoContent)
}

// loadSession returns the session of the tus upload that the request names.
func (t *Handler) loadSession(c *call) (*session.Session, error) {
	s, err := t.Uploads.Load(c.Context(), c.PathValue("id"), c.User)
	if err != nil {
		return s, err
	}
	if s.Tus == nil {
		// It is an upload of another protocol.
		return nil, refusal.NotFound()
	}
	return s, nil
}

// parseNumber returns the value of a header, which must be a number that is not negative.
func (c *call) parseNumber(name string) (int64, error) {
	text := c.Header.Get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, refusal.Invalid(name, name+" must be a number that is not negative.")
	}
	return n, nil
}

// uploadLength returns the length of the file from the header Upload-Length, or -1 if there is none.
func (c *call) uploadLength() (int64, error) {
	if len(c.Header.Values("Upload-Length")) == 0 {
		return -1, nil
	}
	return c.parseNumber("Upload-Length")
}

// post handles POST, which begins an upload, possibly with the first bytes of the file, or joins pieces.
func (t *Handler) post(c *call) error {
	concat := c.Header.Get("Upload-Concat")
	if strings.HasPrefix(concat, "final;") {
		return t.join(c, concat)
	}
	upload, err := c.newUpload(concat)
	if err != nil {
		return err
	}
	sum, err := newChecksum(c.Header.Get("Upload-Checksum"))
	if err != nil {
		return err
	}

	// Create the upload, and receive the body if it has bytes. An empty file is complete at once, so its body is
	// received as if it had bytes.
	hasBytes := c.Header.Get("Content-Type") == offsetStream && c.ContentLength != 0
	isEmptyFile := upload.Size == 0
	mustReceive := hasBytes || isEmptyFile
	state := session.TusState{RawMetadata: c.Header.Get("Upload-Metadata"), Concat: concat}
	s, err := t.create(c, upload, state, mustReceive)
	if err != nil {
		return err
	}
	if mustReceive {
		s, err = t.receive(c, s, sum)
		if err != nil {
			return err
		}
	}

	t.writeOffset(c, s)
	c.W.WriteHeader(http.StatusCreated)
	return nil
}

// create begins an upload and returns its session, which this request holds if it is to receive the first bytes.
// It sets the header with the URL of the upload.
func (t *Handler) create(
	c *call, upload session.Request, state session.TusState, mustReceive bool,
) (*session.Session, error) {
	hasTooManyBytes := upload.Size >= 0 && c.ContentLength > upload.Size
	if mustReceive && hasTooManyBytes {
		return nil, refusal.New("Content-Length", refusal.CodeTooLarge, "The request has more bytes than the file.")
	}

	// Create the session and reserve room for the file.
	kind := session.KindTus
	if upload.Partial {
		kind = session.KindPartial
	}
	s, err := t.Uploads.Begin(c.Request, c.User, kind, upload, "Upload-Length")
	if err != nil {
		return nil, err
	}
	if err := t.Uploads.Reserve(c.Context(), s); err != nil {
		return nil, err
	}

	// Save the session.
	s.Tus = &state
	if mustReceive {
		s.Tus.Holder = c.name
		s.Tus.Held = t.Store.Now()
	}
	if err := t.begin(c, s); err != nil {
		t.Uploads.Unreserve(c.Context(), s, err)
		return nil, err
	}

	c.W.Header().Set("Location", t.location(c, s.ID))
	return s, nil
}

// newUpload reads the headers of a POST that describe the file, apart from Upload-Concat, whose value is
// concat.
func (c *call) newUpload(concat string) (session.Request, error) {
	upload := session.Request{Size: -1, Partial: concat == "partial"}
	if concat != "" && !upload.Partial {
		return upload, refusal.Invalid("Upload-Concat", `Upload-Concat must be "partial" or begin with "final;".`)
	}

	// Read the length, which may also follow later.
	deferred := c.Header.Get("Upload-Defer-Length")
	hasLength := len(c.Header.Values("Upload-Length")) > 0
	if deferred != "" && hasLength {
		return upload, refusal.Invalid("Upload-Defer-Length", "Upload-Length and Upload-Defer-Length exclude one another.")
	}
	if deferred != "" && deferred != "1" {
		return upload, refusal.Invalid("Upload-Defer-Length", "Upload-Defer-Length must be 1.")
	}
	if deferred == "" {
		size, err := c.parseNumber("Upload-Length")
		if err != nil {
			return upload, err
		}
		upload.Size = size
	}

	err := setMetadata(&upload, c.Header.Get("Upload-Metadata"))
	return upload, err
}

// location returns the URL of an upload, below Config.BaseURL if that is set. Otherwise it is an absolute
// path below that of the request, because tus-js-client does not resolve relative URLs.
func (t *Handler) location(c *call, id string) string {
	if t.BaseURL != "" {
		return t.BaseURL + "/tus/" + url.PathEscape(id)
	}
	path, _, _ := strings.Cut(c.RequestURI, "?")
	return strings.TrimSuffix(path, "/") + "/" + url.PathEscape(id)
}

// writeOffset sets the headers that tell the client the offset of an upload.
func (t *Handler) writeOffset(c *call, s *session.Session) {
	header := c.W.Header()
	header.Set("Upload-Offset", strconv.FormatInt(s.Tus.Offset, 10))
	if s.Phase == session.PhaseOpen {
		header.Set("Upload-Expires", s.Expires.UTC().Format(http.TimeFormat))
	}
}

// arrivedSession returns the session of the upload. If all bytes have arrived but an earlier call has failed
// to make the object, arrivedSession makes it, because the client would believe that the upload is complete.
func (t *Handler) arrivedSession(c *call) (*session.Session, error) {
	s, err := t.settledSession(c)
	if err != nil {
		return s, err
	}

	hasArrived := s.Size >= 0 && s.Tus.Offset == s.Size
	if !hasArrived || s.Phase == session.PhaseDone {
		return s, nil
	}
	if s.Kind == session.KindFinal {
		return t.finishStored(c.Context(), s)
	}
	return t.receiveRest(c, s.Tus.Offset, -1, nil) // without a new size and without a checksum
}

// head handles HEAD, and GET in the IETF's draft, which ask how many bytes of the file have arrived.
func (t *Handler) head(c *call) error {
	s, err := t.arrivedSession(c)
	if err != nil {
		return err
	}

	// Both protocols send the offset and, if it is known, the length.
	header := c.W.Header()
	t.writeOffset(c, s)
	if s.Size >= 0 {
		header.Set("Upload-Length", strconv.FormatInt(s.Size, 10))
	}
	if c.isDraft() {
		t.setLimit(c, s)
		c.setComplete(s.Phase == session.PhaseDone)
		c.W.WriteHeader(http.StatusNoContent)
		return nil
	}

	// Only tus has these headers.
	if s.Size < 0 {
		header.Set("Upload-Defer-Length", "1")
	}
	if s.Tus.RawMetadata != "" {
		header.Set("Upload-Metadata", s.Tus.RawMetadata)
	}
	if s.Tus.Concat != "" {
		header.Set("Upload-Concat", s.Tus.Concat)
	}
	c.W.WriteHeader(http.StatusOK)
	return nil
}

// patch handles PATCH of tus, whose body has more bytes of the file.
func (t *Handler) patch(c *call) error {
	if c.Header.Get("Content-Type") != offsetStream {
		return refusal.WrongType("The request must be " + offsetStream + ".")
	}
	offset, err := c.parseNumber("Upload-Offset")
	if err != nil {
		return err
	}
	size, err := c.uploadLength()
	if err != nil {
		return err
	}
	sum, err := newChecksum(c.Header.Get("Upload-Checksum"))
	if err != nil {
		return err
	}

	// Receive the bytes, and respond with the new offset.
	s, err := t.receiveRest(c, offset, size, sum)
	if err != nil {
		return err
	}
	t.writeOffset(c, s)
	c.W.WriteHeader(http.StatusNoContent)
	return nil
}

// receiveRest receives the body of a request, whose bytes begin at offset in the file, and makes the
// object if the file is then complete. size is the size of the file that the client announces, or -1, and sum
// is the checksum of the body, or nil.
func (t *Handler) receiveRest(c *call, offset, size int64, sum *checksum) (*session.Session, error) {
	s, err := t.acquire(c, offset, size)
	if err != nil || s.Phase == session.PhaseDone {
		return s, err
	}
	if s.Arrived() {
		return t.finishStored(c.Context(), s)
	}
	return t.receive(c, s, sum)
}

// deleteUpload handles DELETE, which aborts an upload. It does not remove a completed file, which belongs
// to the application.
func (t *Handler) deleteUpload(c *call) error {
	s, err := t.loadSession(c)
	if err != nil {
		return err
	}
	t.Store.Calls.Interrupt(s.Tus.Holder)
	err = t.abort(c.Context(), s)
	if refused, ok := err.(*refusal.Error); ok && refused.Code == refusal.CodeCompleted {
		// After 409, a client would repeat the request.
		forbidden := *refused
		forbidden.Status = http.StatusForbidden
		return &forbidden
	}
	if err != nil {
		return err
	}
	c.W.WriteHeader(http.StatusNoContent)
	return nil
}

// abort aborts an upload. If an earlier call has begun to complete it, abort completes it instead, and
// fails with CodeCompleted.
func (t *Handler) abort(ctx context.Context, s *session.Session) error {
	s, err := t.finishWhole(ctx, s)
	if err != nil {
		return err
	}
	if s.IsFinishing() {
		s, err = t.finishStored(ctx, s)
		if err != nil {
			return err
		}
	}
	return t.Uploads.Abort(ctx, s)
}

// begin chooses the size of the parts and saves the session. Unless the file certainly fits into one
// part, it begins a multipart upload in the store.
func (t *Handler) begin(c *call, s *session.Session) error {
	fitsOnePart := s.Size >= 0 && s.Size <= t.Store.BasePart
	if fitsOnePart {
		// The size of a part is never 0, even for an empty file.
		s.PartSize = max(s.Size, 1)
		return t.Store.Save(c.Context(), s)
	}

	upload, err := t.Uploads.BeginUpload(c.Context(), s)
	if err != nil {
		return err
	}
	if err := t.setPartSize(s, upload.Limits()); err != nil {
		session.Abandon(c.Context(), upload)
		return err
	}
	if err := t.Store.Save(c.Context(), s); err != nil {
		session.Abandon(c.Context(), upload)
		return err
	}
	return nil
}

// setPartSize chooses the size of the parts of a multipart upload with these limits. It fails if the parts would be too
// large for the memory, or too many for the store. For a file of unknown size, it limits the size to the permitted
// number of parts.
func (t *Handler) setPartSize(s *session.Session, limits storage.PartLimits) error {
	sizeLimit := s.Size
	if s.Size < 0 {
		sizeLimit = s.Target.MaxSize // with 0, parts have the usual size
	}
	s.PartSize = partsize.For(limits, sizeLimit, t.Store.BasePart)

	maxParts := int64(limits.MaxParts) // 0 means any number
	exceedsMemory := s.PartSize > t.Memory.Parts.Limit
	exceedsParts := maxParts > 0 && s.Size > s.PartSize*maxParts
	if exceedsMemory || exceedsParts {
		largestPart := min(s.PartSize, t.Memory.Parts.Limit)
		largestFile := largestPart * max(maxParts, 1)
		return refusal.TooLarge("Upload-Length", largestFile)
	}

	// A file of unknown size must not need more parts than the store permits.
	if s.Size < 0 && maxParts > 0 {
		longest := s.PartSize * maxParts
		if s.Target.MaxSize == 0 || s.Target.MaxSize > longest {
			s.Target.MaxSize = longest
		}
	}
	return nil
}
