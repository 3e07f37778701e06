package uploads

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/uploads/internal/partsize"
)

const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,creation-defer-length,expiration,termination,checksum,concatenation"
	offsetStream  = "application/offset+octet-stream"
)

// A tusState is the part of a session's state that only a tus upload has.
type tusState struct {
	// Offset is the number of bytes that have arrived. The first bytes are in complete parts of
	// PartSize bytes each. The field Parts is the number of these parts. The remaining bytes are in
	// the segments of Tail. If the file is complete, Parts and Tail do not matter.
	Offset int64     `json:"offset"`
	Parts  int       `json:"parts,omitempty"`
	Tail   []segment `json:"tail,omitempty"`
	CRC    uint32    `json:"crc,omitempty"` // CRC32C of the first Offset bytes
	// Whole is true while a call stores the whole file from memory. If the call is killed, the
	// object may exist.
	Whole bool `json:"storingWhole,omitempty"`

	RawMetadata string   `json:"rawMetadata,omitempty"`
	Concat      string   `json:"concat,omitempty"` // value of the header Upload-Concat
	Pieces      []string `json:"pieces,omitempty"` // names of the sessions whose files are joined
	Joined      bool     `json:"joined,omitempty"` // true if the bytes of this piece were joined and removed

	// Holder is the ID of the request that receives bytes for this upload. Held is the time at
	// which this request last wrote the state.
	Holder string    `json:"holder,omitempty"`
	Held   time.Time `json:"held,omitzero"`
}

// A segment is a small object with bytes that follow the last part.
type segment struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// arrived reports whether all bytes are stored, so that the object can be made.
func (s *session) arrived() bool {
	switch s.Kind {
	case kindParts, kindFinal, kindPieces:
		return true
	case kindSingle:
		return false
	}
	return s.Size >= 0 && s.Tus.Offset == s.Size && (s.Token == "" || len(s.Tus.Tail) == 0)
}

func (s *session) tailNames() []string {
	var names []string
	if s.Tus != nil {
		for _, t := range s.Tus.Tail {
			names = append(names, t.Name)
		}
	}
	return names
}

// A tus handles requests of the tus protocol and of the IETF's draft of resumable uploads.
type tus struct {
	handler *handler
}

// serveTus responds to a request of the tus protocol or of the IETF's draft.
func (t *tus) serveTus(c *call) error {
	header := c.w.Header()
	name, interrupted, leave := t.handler.keeper.calls.enter()
	defer leave()
	c.name = name
	c.interrupted = interrupted
	if method := c.Header.Get("X-HTTP-Method-Override"); method != "" {
		c.Method = strings.ToUpper(method)
	}
	draft := c.isDraft()
	if !draft {
		header.Set("Tus-Resumable", tusVersion)
	}
	if c.Method == http.MethodOptions {
		t.setLimit(c, nil)
		header.Set("Accept-Patch", offsetStream+", "+partialUpload)
		header.Set("Tus-Version", tusVersion)
		header.Set("Tus-Extension", tusExtensions)
		header.Set("Tus-Checksum-Algorithm", checksumNames())
		if t.handler.service.maxSize > 0 {
			header.Set("Tus-Max-Size", strconv.FormatInt(t.handler.service.maxSize, 10))
		}
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if draft {
		return t.serveDraft(c)
	}
	if c.Header.Get("Tus-Resumable") != tusVersion {
		header.Set("Tus-Version", tusVersion)
		e := refuse("Tus-Resumable", InvalidRequest, "Only version "+tusVersion+" of the tus protocol is known.")
		e.Status = http.StatusPreconditionFailed
		return e
	}
	id := c.PathValue("id")
	f := map[string]func(*call) error{http.MethodPost: t.createTus}
	allowed := "OPTIONS, POST"
	if id != "" {
		f = map[string]func(*call) error{
			http.MethodHead:   t.headTus,
			http.MethodPatch:  t.patchTus,
			http.MethodDelete: t.deleteTus,
		}
		allowed = "DELETE, HEAD, OPTIONS, PATCH"
	}
	if f[c.Method] == nil {
		return methodNotAllowed(c, allowed)
	}
	return t.handler.authorized(f[c.Method])(c)
}

func (t *tus) loadTus(c *call) (*session, error) {
	s, err := t.handler.keeper.load(c.Context(), c.PathValue("id"), c.user)
	if err == nil && s.Tus == nil {
		return nil, notFound()
	}
	return s, err
}

// number reads a header whose value must be a number of at least 0.
func (c *call) number(name string) (int64, error) {
	text := c.Header.Get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, invalid(name, name+" must be a number that is not negative.")
	}
	return n, nil
}

// length reads the length of the file from the request's headers. If there is none, it returns -1.
func (c *call) length() (int64, error) {
	if len(c.Header.Values("Upload-Length")) == 0 {
		return -1, nil
	}
	return c.number("Upload-Length")
}

// createTus handles POST. It begins an upload, possibly with the first bytes of the file, or joins
// pieces.
func (t *tus) createTus(c *call) error {
	concat := c.Header.Get("Upload-Concat")
	if strings.HasPrefix(concat, "final;") {
		return t.concatTus(c, concat)
	}
	n, err := c.tusUpload(concat)
	if err != nil {
		return err
	}
	sum, err := newChecksum(c.Header.Get("Upload-Checksum"))
	if err != nil {
		return err
	}
	withBytes := c.Header.Get("Content-Type") == offsetStream && c.ContentLength != 0
	state := tusState{RawMetadata: c.Header.Get("Upload-Metadata"), Concat: concat}
	s, err := t.create(c, n, state, withBytes || n.Size == 0, sum, func(*session) {})
	if err != nil {
		return err
	}
	t.writeOffset(c, s)
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// create begins an upload, and calls the function announce with the session of that upload. If the
// request has bytes, create then receives them.
func (t *tus) create(
	c *call, n Request, state tusState, receives bool, sum *checksum, announce func(*session),
) (*session, error) {
	kind := kindTus
	if receives && n.Size >= 0 && c.ContentLength > n.Size {
		return nil, refuse("Content-Length", TooLarge, "The request has more bytes than the file.")
	}
	if n.Partial {
		kind = kindPartial
	}
	s, err := t.handler.keeper.begin(c, kind, n, "Upload-Length")
	if err != nil {
		return nil, err
	}
	if e := t.handler.keeper.reserve(c.Context(), s); e != nil {
		return nil, e
	}
	s.Tus = &state
	if receives {
		s.Tus.Holder, s.Tus.Held = c.name, t.handler.config.Now()
	}
	if err := t.beginTus(c, s); err != nil {
		t.handler.keeper.unreserve(c.Context(), s, err)
		return nil, err
	}
	c.w.Header().Set("Location", t.location(c, s.id))
	announce(s)
	if !receives {
		return s, nil
	}
	return t.receive(c, s, sum)
}

// tusUpload reads the headers of a POST that describe the file. concat is the value of
// Upload-Concat.
func (c *call) tusUpload(concat string) (Request, error) {
	n := Request{Size: -1, Partial: concat == "partial"}
	if concat != "" && !n.Partial {
		return n, invalid("Upload-Concat", `Upload-Concat must be "partial" or begin with "final;".`)
	}
	deferred := c.Header.Get("Upload-Defer-Length")
	length := c.Header.Values("Upload-Length")
	switch {
	case deferred != "" && len(length) > 0:
		return n, invalid("Upload-Defer-Length", "Upload-Length and Upload-Defer-Length exclude one another.")
	case deferred != "" && deferred != "1":
		return n, invalid("Upload-Defer-Length", "Upload-Defer-Length must be 1.")
	case deferred == "":
		var err error
		if n.Size, err = c.number("Upload-Length"); err != nil {
			return n, err
		}
	}
	err := n.setMetadata(c.Header.Get("Upload-Metadata"))
	return n, err
}

// location returns the URL of an upload. If Config.BaseURL is set, the URL is below it. Otherwise
// it is an absolute path below the path of the request, because tus-js-client does not resolve
// relative URLs.
func (t *tus) location(c *call, id string) string {
	if t.handler.config.BaseURL != "" {
		return t.handler.config.BaseURL + "/tus/" + url.PathEscape(id)
	}
	path, _, _ := strings.Cut(c.RequestURI, "?")
	return strings.TrimSuffix(path, "/") + "/" + url.PathEscape(id)
}

// writeOffset sets the headers that tell the client the offset of an upload.
func (t *tus) writeOffset(c *call, s *session) {
	header := c.w.Header()
	header.Set("Upload-Offset", strconv.FormatInt(s.Tus.Offset, 10))
	if s.Phase == phaseOpen {
		header.Set("Upload-Expires", s.Expires.UTC().Format(http.TimeFormat))
	}
}

// arrivedTus reads the session. If all bytes have arrived, a client believes that the upload is
// complete. If an earlier call has failed to make the object, arrivedTus makes it.
func (t *tus) arrivedTus(c *call) (*session, error) {
	s, err := t.settledTus(c)
	if err != nil || s.Size < 0 || s.Tus.Offset != s.Size || s.Phase == phaseDone {
		return s, err
	}
	if s.Kind == kindFinal {
		return t.finishTus(c.Context(), s, nil)
	}
	return t.continueTus(c, s.Tus.Offset, -1, nil)
}

// headTus handles HEAD, and GET in the IETF's draft.
func (t *tus) headTus(c *call) error {
	s, err := t.arrivedTus(c)
	if err != nil {
		return err
	}
	header := c.w.Header()
	t.writeOffset(c, s)
	if s.Size >= 0 {
		header.Set("Upload-Length", strconv.FormatInt(s.Size, 10))
	}
	if c.isDraft() {
		t.setLimit(c, s)
		c.setComplete(s.Phase == phaseDone)
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if s.Size < 0 {
		header.Set("Upload-Defer-Length", "1")
	}
	if s.Tus.RawMetadata != "" {
		header.Set("Upload-Metadata", s.Tus.RawMetadata)
	}
	if s.Tus.Concat != "" {
		header.Set("Upload-Concat", s.Tus.Concat)
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// patchTus handles PATCH, whose body has more bytes of the file.
func (t *tus) patchTus(c *call) error {
	if c.Header.Get("Content-Type") != offsetStream {
		return wrongType("The request must be " + offsetStream + ".")
	}
	offset, err := c.number("Upload-Offset")
	if err != nil {
		return err
	}
	size, err := c.length()
	if err != nil {
		return err
	}
	sum, err := newChecksum(c.Header.Get("Upload-Checksum"))
	if err != nil {
		return err
	}
	s, err := t.continueTus(c, offset, size, sum)
	if err != nil {
		return err
	}
	t.writeOffset(c, s)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// continueTus receives the body of a request. If the file is complete after that, continueTus makes
// the object. offset is where the bytes begin in the file. size is the
// length of the file that the client announces, or -1.
func (t *tus) continueTus(c *call, offset, size int64, sum *checksum) (*session, error) {
	s, err := t.acquire(c, offset, size)
	if err != nil || s.Phase == phaseDone {
		return s, err
	}
	if s.arrived() {
		return t.finishTus(c.Context(), s, nil)
	}
	return t.receive(c, s, sum)
}

// deleteTus handles DELETE, which ends an upload. It does not remove a completed file, because that
// file belongs to the application.
func (t *tus) deleteTus(c *call) error {
	s, err := t.loadTus(c)
	if err != nil {
		return err
	}
	t.handler.keeper.calls.interrupt(s.Tus.Holder)
	if s, err = t.finishWhole(c.Context(), s); err == nil && s.finishing() {
		s, err = t.finishTus(c.Context(), s, nil)
	}
	if err == nil {
		err = t.handler.keeper.abort(c.Context(), s)
	}
	if e, ok := err.(*Error); ok && e.Code == Completed {
		told := *e
		told.Status = http.StatusForbidden // after 409, a client would repeat the request
		return &told
	}
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// beginTus chooses the size of the parts and saves the session. If the file may not fit into one
// part, it begins a multipart upload in the store.
func (t *tus) beginTus(c *call, s *session) error {
	if s.Size >= 0 && s.Size <= t.handler.keeper.basePart {
		s.PartSize = max(s.Size, 1)
		return t.handler.keeper.save(c.Context(), s)
	}
	upload, err := t.handler.keeper.beginUpload(c.Context(), s)
	if err != nil {
		return err
	}
	maximum := s.Size
	if maximum < 0 {
		maximum = s.Target.MaxSize // if it is 0, parts have the usual size
	}
	limits := upload.Limits()
	s.PartSize = partsize.For(limits, maximum, t.handler.keeper.basePart)
	if s.PartSize > t.handler.memory.Parts.Limit || limits.MaxParts > 0 && s.Size > s.PartSize*int64(limits.MaxParts) {
		abandon(c.Context(), upload)
		return tooLarge("Upload-Length", min(s.PartSize, t.handler.memory.Parts.Limit)*int64(max(limits.MaxParts, 1)))
	}
	if limits.MaxParts > 0 && s.Size < 0 {
		bound := s.PartSize * int64(limits.MaxParts)
		if s.Target.MaxSize == 0 || s.Target.MaxSize > bound {
			s.Target.MaxSize = bound
		}
	}
	if err := t.handler.keeper.save(c.Context(), s); err != nil {
		abandon(c.Context(), upload)
		return err
	}
	return nil
}
