package tus

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
	"github.com/omnibucket/storage/uploads/internal/structured"
)

const (
	partialUpload = "application/partial-upload"
	interopHeader = "Upload-Draft-Interop-Version"

	statusResumable = 104 // 104 is Upload Resumption Supported
)

// These are interop versions. Between the first and the last one, each breaking change has another
// version.
const (
	firstInterop = 3 // draft -01, which iOS 17 implements
	mediaInterop = 6 // the first version whose PATCH must have the media type partialUpload
	lastInterop  = 9 // draft -12
)

// interopVersion returns the interop version of the client. If the client sent none, or one that is not
// known here, ok is false.
func (c *call) interopVersion() (version int64, ok bool) {
	version, _ = structured.Integer(c.Header.Values(interopHeader))
	return version, version >= firstInterop && version <= lastInterop
}

// isDraft reports whether a request belongs to the IETF's draft and not to tus. A HEAD, GET or DELETE
// counts as one of the draft unless it has the header of tus.
func (c *call) isDraft() bool {
	if c.Header.Get("Tus-Resumable") != "" {
		return false
	}
	// The only request of the draft without an ID is a POST.
	if c.PathValue("id") == "" && c.Method != http.MethodPost {
		return false
	}
	if c.Header.Get(interopHeader) != "" || c.Header.Get(completeHeader) != "" {
		return true
	}

	// These requests of the draft need no header of it.
	switch c.Method {
	case http.MethodHead, http.MethodGet, http.MethodDelete:
		return true
	}
	return false
}

const (
	completeHeader = "Upload-Complete"
	// incompleteHeader has the opposite value in the first version of the draft.
	incompleteHeader = "Upload-Incomplete"
)

// usesIncomplete reports whether this version of the draft has the header incompleteHeader instead of
// completeHeader.
func (c *call) usesIncomplete() bool {
	version, _ := c.interopVersion()
	return version == firstInterop
}

// sendsLastBytes reports whether the request says that its body has the last bytes of the file.
func (c *call) sendsLastBytes() (bool, error) {
	if c.usesIncomplete() {
		isIncomplete, err := c.boolean(incompleteHeader)
		return !isIncomplete, err
	}
	return c.boolean(completeHeader)
}

// boolean reads a header that must have one of the values "?0" and "?1".
func (c *call) boolean(name string) (bool, error) {
	value, ok := structured.Boolean(c.Header.Values(name))
	if !ok {
		return false, refusal.Invalid(name, name+` must be "?0" or "?1".`)
	}
	return value, nil
}

// structuredNumber reads a header whose value is a structured field (RFC 9651). If the value is not
// an Integer of at least 0, ok is false, and the header must be ignored.
func (c *call) structuredNumber(name string) (n int64, ok bool) {
	n, ok = structured.Integer(c.Header.Values(name))
	return n, ok && n >= 0
}

// processedCompleted reports whether a response to a request that cannot change a completed upload
// counts as a response from the processing of the file. Since draft -12, it does not.
func (c *call) processedCompleted() bool {
	version, ok := c.interopVersion()
	return ok && version < lastInterop
}

// serveDraft responds to a request of the IETF's draft.
func (t *Handler) serveDraft(c *call) error {
	handle := t.draftHandler(c)
	if handle == nil {
		return c.MethodNotAllowed("DELETE, GET, HEAD, OPTIONS, PATCH, POST")
	}
	err := t.serveUser(c, handle)
	refused := refusal.Of(err)
	if refused == nil {
		return err
	}

	// The upload has ended if the file is refused or complete. Since draft -12, the refusal of a request for a complete
	// upload does not say that.
	isCompleted := refused.Code == refusal.CodeCompleted && c.processedCompleted()
	hasEnded := isCompleted || refusesFile(refused)
	c.setComplete(hasEnded)

	if refused.Offsets != nil {
		// The client can continue there.
		c.W.Header().Set("Upload-Offset", strconv.FormatInt(refused.Offsets.Expected, 10))
	}
	if refused.Code == refusal.CodeTooLarge {
		t.setLimit(c, nil)
	}
	return err
}

// draftHandler returns the function for the method of the request, or nil if the method is not allowed
// there: a POST must have no ID, and all others must have one.
func (t *Handler) draftHandler(c *call) func(*call) error {
	hasID := c.PathValue("id") != ""
	if c.Method == http.MethodPost {
		if hasID {
			return nil
		}
		return t.createDraft
	}
	if !hasID {
		return nil
	}
	switch c.Method {
	case http.MethodHead, http.MethodGet:
		return t.head
	case http.MethodPatch:
		return t.patchDraft
	case http.MethodDelete:
		return t.deleteUpload
	}
	return nil
}

// refusesFile reports whether an error refuses the file itself, so that no request can continue the
// upload.
func refusesFile(err *refusal.Error) bool {
	if err.Field != refusal.FileField {
		return false
	}
	statusIsOfCode := err.Status == 0
	isServerError := err.HTTPStatus() >= http.StatusInternalServerError
	return statusIsOfCode && !isServerError && err.Code != refusal.CodeInterrupted
}

// setComplete sets the header that tells the client whether the upload is complete.
func (c *call) setComplete(isComplete bool) {
	if c.usesIncomplete() {
		c.W.Header().Set(incompleteHeader, formatBoolean(!isComplete))
		return
	}
	c.W.Header().Set(completeHeader, formatBoolean(isComplete))
}

// formatBoolean returns a Boolean as a structured field (RFC 9651).
func formatBoolean(value bool) string {
	if value {
		return "?1"
	}
	return "?0"
}

// setLimit sets the header that tells the client the limits of upload s. If s is nil, they are the
// limits of a new upload.
func (t *Handler) setLimit(c *call, s *session.Session) {
	maximum := t.MaxSize
	limits := []string{}
	if s != nil {
		maximum = s.Target.MaxSize
		// max-age is the number of seconds until the upload expires.
		limits = append(limits, fmt.Sprintf("max-age=%d", max(0, int64(s.Expires.Sub(t.Store.Now())/time.Second))))
	}
	if maximum > 0 {
		limits = append(limits, fmt.Sprintf("max-size=%d", maximum))
	}
	if len(limits) == 0 {
		// The header must not be empty.
		limits = append(limits, "min-size=0")
	}
	c.W.Header().Set("Upload-Limit", strings.Join(limits, ", "))
}

// createDraft handles POST. The client gets the URL of the upload in an interim response, so that it can
// resume the upload even if the connection breaks during the body.
func (t *Handler) createDraft(c *call) error {
	isLast, err := c.sendsLastBytes()
	if err != nil {
		return err
	}
	c.last = isLast
	const offset = 0 // the body has the first bytes
	size, err := c.draftLength(offset)
	if err != nil {
		return err
	}

	// Describe the file by the headers of the request.
	upload := session.Request{Size: size}
	// A type that cannot be read counts as missing.
	upload.Type, _, _ = mime.ParseMediaType(c.Header.Get("Content-Type"))
	if _, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Disposition")); err == nil {
		upload.Name = parameters["filename"]
	}

	// A request without bytes may be the last one, of an empty file.
	mustReceive := c.ContentLength != 0 || c.last
	s, err := t.create(c, upload, session.TusState{}, mustReceive)
	if err != nil {
		return err
	}
	t.sendInterim(c, s)
	if mustReceive {
		s, err = t.receive(c, s, nil) // without a checksum
		if err != nil {
			return err
		}
	}
	return t.writeDraft(c, s)
}

// sendInterim sends an interim response with the URL and the limits of a new upload, if the client knows such
// responses. The headers stay set for the final response.
func (t *Handler) sendInterim(c *call, s *session.Session) {
	t.setLimit(c, s)
	version, isKnown := c.interopVersion()
	// HTTP/1.0 has no interim responses.
	if !isKnown || !c.ProtoAtLeast(1, 1) {
		return
	}
	c.W.Header().Set(interopHeader, strconv.FormatInt(version, 10))
	c.W.WriteHeader(statusResumable)
}

// draftLength returns the length of the file in bytes, or -1 if the request does not contain it. It comes
// from Upload-Length, or from the length of a body that begins at offset and has the last bytes.
func (c *call) draftLength(offset int64) (int64, error) {
	size, ok := c.structuredNumber("Upload-Length")
	if !ok {
		size = -1
	}
	isEndKnown := c.last && c.ContentLength >= 0
	if !isEndKnown {
		return size, nil
	}

	// The file ends with the body.
	end := offset + c.ContentLength
	if size >= 0 && size != end {
		return 0, inconsistentLength()
	}
	return end, nil
}

// inconsistentLength returns the error for a file of which the client announces two lengths.
func inconsistentLength() *refusal.Error {
	err := refusal.Invalid("Upload-Length", "The length of the file is known already, and is another one.")
	err.Problem = "inconsistent-upload-length"
	return err
}

// patchDraft handles PATCH. For a complete upload, it repeats the response of the request that has
// completed it.
func (t *Handler) patchDraft(c *call) error {
	// Only earlier versions of the draft have no type for these requests.
	version, isKnown := c.interopVersion()
	needsType := !isKnown || version >= mediaInterop
	if needsType && c.Header.Get("Content-Type") != partialUpload {
		return refusal.WrongType("The request must be " + partialUpload + ".")
	}

	// Read the offset, and whether these are the last bytes.
	offset, ok := c.structuredNumber("Upload-Offset")
	if !ok {
		return refusal.Invalid("Upload-Offset", "Upload-Offset must be a number that is not negative.")
	}
	isLast, err := c.sendsLastBytes()
	if err != nil {
		return err
	}
	c.last = isLast
	size, err := c.draftLength(offset)
	if err != nil {
		return err
	}

	// Receive the bytes, for which the draft has no checksum.
	s, err := t.receiveRest(c, offset, size, nil)
	if err != nil {
		return err
	}
	return t.writeDraft(c, s)
}

// writeDraft responds to a request that has sent bytes, and describes the file if it is complete now.
func (t *Handler) writeDraft(c *call, s *session.Session) error {
	t.writeOffset(c, s)
	c.setComplete(s.Phase == session.PhaseDone)
	switch {
	case s.Phase == session.PhaseDone:
		return c.JSON(http.StatusOK, s.Result())
	case c.Method == http.MethodPost:
		c.W.WriteHeader(http.StatusCreated)
	default:
		c.W.WriteHeader(http.StatusNoContent)
	}
	return nil
}
