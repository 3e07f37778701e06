package uploads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/words"
)

type namedPart struct {
	Number int    `json:"PartNumber"`
	ETag   string `json:"ETag"`
}

// namedParts are the parts that a client lists to complete a file, in order. Decoding fails after
// maxNamed parts, because even a short text could list millions.
type namedParts []namedPart

// UnmarshalJSON decodes a list of parts. If the list is too long, it fails.
func (p *namedParts) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if start, err := d.Token(); err != nil || start != json.Delim('[') {
		// If the JSON value is not a list, err is nil, and p has no parts.
		return err
	}
	for d.More() {
		var part namedPart
		if err := d.Decode(&part); err != nil {
			return err
		}
		*p = append(*p, part)
		if len(*p) > maxNamed {
			return errors.New("there are too many parts")
		}
	}
	return nil
}

type completedUpload struct {
	Location string `json:"location,omitempty"`
	Key      string `json:"key"`
	Size     int64  `json:"size"`
	Type     string `json:"type,omitempty"` // media type; "" if the content decides it
}

func (h *handler) completeParts(c *call) error {
	var asked struct {
		Parts namedParts `json:"parts"`
	}
	if err := readJSON(c, &asked, maxParts, false); err != nil {
		return err
	}
	s, err := h.loadParts(c)
	if err != nil {
		return err
	}
	if s.Phase != phaseDone {
		if s, err = h.completeOpen(c, s, asked.Parts); err != nil {
			return err
		}
	}
	if s.PartsSum != asked.Parts.sum() {
		return s.completed()
	}
	return c.json(http.StatusOK, s.done())
}

func (s *session) done() completedUpload {
	result := completedUpload{Location: s.location(), Key: s.Target.Key, Size: s.Size}
	if s.Random != nil {
		result.Type = s.Target.ContentType
	}
	return result
}

// completeOpen completes an open upload. If another request has completed it first, completeOpen
// returns the session of that request.
func (h *handler) completeOpen(c *call, s *session, reqParts namedParts) (*session, error) {
	parts, err := reqParts.ordered()
	if err != nil {
		return nil, err
	}
	if s.Phase == phaseOpen {
		upload, err := storage.ContinueUpload(c.Context(), h.bucket, s.Token)
		if err != nil {
			return nil, storeFailed(err)
		}
		if s.ETags, err = h.checkParts(c.Context(), s, upload, parts); err != nil {
			return h.completedOr(c, err)
		}
		s.PartsSum = reqParts.sum()
	}
	return h.finishParts(c.Context(), s)
}

// completedOr is called if a request cannot use the parts, because of err. If another request has
// completed the upload, the parts no longer exist, and completedOr returns the session. Otherwise
// it returns an error.
func (h *handler) completedOr(c *call, err error) (*session, error) {
	isGone := storage.CodeOf(err) == storage.ObjectNotFound
	if !isGone && CodeOf(err) != Completed {
		return nil, err
	}
	s, failure := h.loadParts(c)
	if failure != nil {
		return nil, failure
	}
	if s.Phase == phaseDone {
		return s, nil
	}
	if isGone && s.Phase != phaseOpen {
		return nil, beingCompleted()
	}
	return nil, err
}

func (p namedParts) sum() string {
	h := sha256.New()
	for _, part := range p {
		_, _ = fmt.Fprintf(h, "%d %q\n", part.Number, strings.Trim(part.ETag, `"`))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (h *handler) finishParts(ctx context.Context, s *session) (*session, error) {
	token := s.Token
	parts := numbered(len(s.ETags))
	for i, etag := range s.ETags {
		parts[i].ETag = etag
	}
	return h.keeper.finish(ctx, s, func(ctx context.Context, _ string) (*storage.Attrs, error) {
		upload, err := storage.ContinueUpload(ctx, h.bucket, token)
		if err != nil {
			return nil, err
		}
		attrs, err := upload.Complete(ctx, storage.WithParts(parts...))
		if storage.CodeOf(err) != storage.InvalidArgument {
			return attrs, err
		}
		_, failure := h.checkParts(ctx, s, upload, parts)
		if e, ok := failure.(*Error); ok && e.Code == PartsChanged {
			e.Err = err
			return nil, sendAgain{e} // a part was replaced after checkParts compared the ETags
		}
		return nil, err
	})
}

func sameETag(a, b string) bool {
	return a == "" || b == "" || strings.Trim(a, `"`) == strings.Trim(b, `"`)
}

func numbered(n int) []storage.UploadedPart {
	parts := make([]storage.UploadedPart, n)
	for i := range parts {
		parts[i].Number = i + 1
	}
	return parts
}

// ordered converts the parts to the form that the store needs. If they are not numbered 1, 2, 3 and
// so on, it fails.
func (p namedParts) ordered() ([]storage.UploadedPart, error) {
	if len(p) == 0 {
		return nil, invalid("parts", "The request names no parts.")
	}
	parts := numbered(len(p))
	for i, part := range p {
		if part.Number != i+1 {
			return nil, invalid(fmt.Sprintf("parts[%d].PartNumber", i),
				"The parts must be all parts of the file, in order: 1, 2, 3.")
		}
		parts[i].ETag = part.ETag
	}
	return parts, nil
}

// checkParts compares the listed parts with the parts in the store. It returns one ETag for each
// part. If the client sent an ETag for a part, checkParts returns the store's ETag of this part.
// Otherwise it returns "". If the total size of the parts exceeds the limit of the file, checkParts
// aborts the upload.
func (h *handler) checkParts(
	ctx context.Context, s *session, upload storage.MultipartUpload, parts []storage.UploadedPart,
) (etags []string, err error) {
	listed, err := upload.Parts(ctx)
	if err != nil {
		return nil, uploadFailed(err)
	}
	etags = make([]string, len(parts))
	byNumber := make(map[int]storage.UploadedPart, len(listed))
	for _, p := range listed {
		byNumber[p.Number] = p
	}
	limits := upload.Limits()
	total := int64(0)
	for i, p := range parts {
		part, ok := byNumber[p.Number]
		field := fmt.Sprintf("parts[%d]", i)
		if !ok {
			return nil, refuse(field, NotUploaded, fmt.Sprintf("Part %d has not arrived.", p.Number))
		}
		if !sameETag(p.ETag, part.ETag) {
			return nil, refuse(field+".ETag", PartsChanged,
				fmt.Sprintf("Part %d is another one now. Send it again.", p.Number))
		}
		if i < len(parts)-1 && part.Size < limits.MinSize {
			return nil, refuse(
				field, WrongSize,
				fmt.Sprintf("Part %d is too small: all but the last must have %s.", p.Number, words.Bytes(limits.MinSize)),
			)
		}
		total += part.Size
		if p.ETag != "" {
			etags[i] = part.ETag
		}
	}
	maximum := s.Target.MaxSize
	switch {
	case s.Size >= 0 && total < s.Size:
		return nil, refuse("parts", NotUploaded, fmt.Sprintf("The parts have %d bytes, and the file %d.", total, s.Size))
	case s.Size >= 0 && total > s.Size:
		err = refuse("size", WrongSize,
			fmt.Sprintf("The parts have %d bytes, and the file was said to have %d.", total, s.Size))
	case maximum > 0 && total > maximum:
		err = tooLarge("parts", maximum)
	}
	if err != nil {
		if failure := h.keeper.abort(ctx, s); failure != nil {
			return nil, failure
		}
	}
	return etags, err
}
