package uploads

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/uploads/internal/structured"
)

// The IETF's draft of resumable uploads (draft-ietf-httpbis-resumable-upload) differs from tus
// mainly in its headers. So an upload by the draft has the same kind of session as a tus upload. A
// client of the draft sends the version of the draft that it implements (the interop version). A
// client of the final standard sends no version.
//
// If the length of the file is known, the upload is complete when all bytes have arrived. If the
// length is not known, the client marks its last request with a header. The upload is complete when
// the body of the last request has arrived.

const (
	partialUpload = "application/partial-upload"
	interopHeader = "Upload-Draft-Interop-Version"
	problemTypes  = "https://iana.org/assignments/http-problem-types#"

	statusResumable = 104 // 104 is Upload Resumption Supported
)

// These are interop versions. Between the first and the last one, each breaking change has another
// version.
const (
	firstInterop = 3 // draft -01, which iOS 17 implements
	mediaInterop = 6 // the first version whose PATCH must have the media type partialUpload
	lastInterop  = 9 // draft -12
)

// interop returns the interop version of the client. If the client sent none, or one that is not
// known here, ok is false.
func (c *call) interop() (version int64, ok bool) {
	version, _ = structured.Integer(c.Header.Values(interopHeader))
	return version, version >= firstInterop && version <= lastInterop
}

// isDraft reports whether a request belongs to the IETF's draft and not to tus. A HEAD, GET or
// DELETE without any header of tus counts as a request of the draft.
func (c *call) isDraft() bool {
	if c.Header.Get("Tus-Resumable") != "" || c.PathValue("id") == "" && c.Method != http.MethodPost {
		return false
	}
	return c.Header.Get(interopHeader) != "" || c.Header.Get("Upload-Complete") != "" ||
		c.Method == http.MethodHead || c.Method == http.MethodGet || c.Method == http.MethodDelete
}

// completeness returns the name of the header that says whether a file is complete, and its values
// for yes and no. They depend on the version of the draft.
func (c *call) completeness() (name, yes, no string) {
	if version, _ := c.interop(); version == firstInterop {
		return "Upload-Incomplete", "?0", "?1"
	}
	return "Upload-Complete", "?1", "?0"
}

// completes reports whether the request says that its body has the last bytes of the file.
func (c *call) completes() (bool, error) {
	name, yes, _ := c.completeness()
	value, ok := structured.Boolean(c.Header.Values(name))
	if !ok {
		return false, invalid(name, name+` must be "?0" or "?1".`)
	}
	return value == (yes == "?1"), nil
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
	version, ok := c.interop()
	return ok && version < lastInterop
}

func (t *tus) serveDraft(c *call) error {
	f := map[string]func(*call) error{
		http.MethodPost:   t.createDraft,
		http.MethodHead:   t.headTus,
		http.MethodGet:    t.headTus,
		http.MethodPatch:  t.patchDraft,
		http.MethodDelete: t.deleteTus,
	}[c.Method]
	if f == nil || (c.PathValue("id") == "") != (c.Method == http.MethodPost) {
		return methodNotAllowed(c, "DELETE, GET, HEAD, OPTIONS, PATCH, POST")
	}
	err := t.handler.authorized(f)(c)
	if e, ok := errors.AsType[*Error](err); ok {
		refusal := e.Field == fileField && e.Status == 0 && e.HTTPStatus() < 500 && e.Code != Interrupted
		c.setComplete(refusal || e.Code == Completed && c.processedCompleted())
		if e.offsets != nil {
			c.w.Header().Set("Upload-Offset", strconv.FormatInt(e.offsets[0], 10))
		}
		if e.Code == TooLarge {
			t.setLimit(c, nil)
		}
	}
	return err
}

// setComplete sets the header that tells the client whether the upload is complete.
func (c *call) setComplete(complete bool) {
	name, value, no := c.completeness()
	if !complete {
		value = no
	}
	c.w.Header().Set(name, value)
}

// setLimit sets the header that tells the client the limits of upload s. If s is nil, they are the
// limits of a new upload.
func (t *tus) setLimit(c *call, s *session) {
	maximum := t.handler.service.maxSize
	limits := []string{}
	if s != nil {
		maximum = s.Target.MaxSize
		limits = append(limits, fmt.Sprintf("max-age=%d", max(0, int64(s.Expires.Sub(t.handler.config.Now())/time.Second))))
	}
	if maximum > 0 {
		limits = append(limits, fmt.Sprintf("max-size=%d", maximum))
	}
	if len(limits) == 0 {
		limits = append(limits, "min-size=0")
	}
	c.w.Header().Set("Upload-Limit", strings.Join(limits, ", "))
}

// createDraft handles POST. It sends the URL of the upload in an interim response, so that the
// client can resume the upload even if the connection breaks during the body.
func (t *tus) createDraft(c *call) error {
	n := Request{}
	var err error
	if c.last, err = c.completes(); err != nil {
		return err
	}
	if n.Size, err = c.draftLength(0); err != nil {
		return err
	}
	n.Type, _, _ = mime.ParseMediaType(c.Header.Get("Content-Type"))
	if _, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Disposition")); err == nil {
		n.Name = parameters["filename"]
	}
	s, err := t.create(c, n, tusState{}, c.ContentLength != 0 || c.last, nil, func(s *session) {
		t.setLimit(c, s)
		if version, ok := c.interop(); ok && c.ProtoAtLeast(1, 1) {
			c.w.Header().Set(interopHeader, strconv.FormatInt(version, 10))
			c.w.WriteHeader(statusResumable)
		}
	})
	if err != nil {
		return err
	}
	return t.writeDraft(c, s)
}

// draftLength returns the length of the file, or -1 if it is not known. offset is the
// number of bytes that arrived before this request.
func (c *call) draftLength(offset int64) (int64, error) {
	size, ok := c.structuredNumber("Upload-Length")
	if !ok {
		size = -1
	}
	if !c.last || c.ContentLength < 0 {
		return size, nil
	}
	if size >= 0 && size != offset+c.ContentLength {
		return 0, inconsistentLength()
	}
	return offset + c.ContentLength, nil
}

func inconsistentLength() *Error {
	e := invalid("Upload-Length", "The length of the file is known already, and is another one.")
	e.problem = "inconsistent-upload-length"
	return e
}

// patchDraft handles PATCH. If the upload is complete, it repeats the response of the request that
// completed it.
func (t *tus) patchDraft(c *call) error {
	version, known := c.interop()
	if c.Header.Get("Content-Type") != partialUpload && (!known || version >= mediaInterop) {
		return wrongType("The request must be " + partialUpload + ".")
	}
	offset, ok := c.structuredNumber("Upload-Offset")
	if !ok {
		return invalid("Upload-Offset", "Upload-Offset must be a number that is not negative.")
	}
	var err error
	if c.last, err = c.completes(); err != nil {
		return err
	}
	size, err := c.draftLength(offset)
	if err != nil {
		return err
	}
	s, err := t.continueTus(c, offset, size, nil)
	if err != nil {
		return err
	}
	return t.writeDraft(c, s)
}

// writeDraft responds to a request that sent bytes. If the file is now complete, the response
// describes the file.
func (t *tus) writeDraft(c *call, s *session) error {
	t.writeOffset(c, s)
	c.setComplete(s.Phase == phaseDone)
	switch {
	case s.Phase == phaseDone:
		return c.json(http.StatusOK, s.done())
	case c.Method == http.MethodPost:
		c.w.WriteHeader(http.StatusCreated)
	default:
		c.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}
