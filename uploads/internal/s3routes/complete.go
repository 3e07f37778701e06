package s3routes

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
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// A namedPart is a part that a client lists to complete a file.
type namedPart struct {
	Number int    `json:"PartNumber"`
	ETag   string `json:"ETag"`
}

// namedParts are the parts that a client lists to complete a file, in order. Decoding fails after
// maxNamed parts, because even a short text could list millions.
type namedParts []namedPart

// UnmarshalJSON decodes a list of parts, and fails as soon as the list is too long.
func (p *namedParts) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	start, err := decoder.Token()
	if err != nil {
		return err
	}
	if start != json.Delim('[') {
		// A value that is not a list has no parts.
		return nil
	}

	for decoder.More() {
		var part namedPart
		if err := decoder.Decode(&part); err != nil {
			return err
		}
		*p = append(*p, part)
		if len(*p) > maxNamed {
			return errors.New("there are too many parts")
		}
	}
	return nil
}

// completeParts handles POST .../complete, which makes the file from the parts that the client lists.
func (h *Handler) completeParts(c *intake.Call) error {
	var body struct {
		Parts namedParts `json:"parts"`
	}
	if err := c.ReadJSON(&body, maxParts); err != nil {
		return err
	}
	s, err := h.loadParts(c)
	if err != nil {
		return err
	}
	if s.Phase != session.PhaseDone {
		s, err = h.completeOpen(c, s, body.Parts)
		if err != nil {
			return err
		}
	}

	// An earlier request may have completed the upload with other parts.
	if s.PartsSum != body.Parts.hash() {
		return s.Completed()
	}
	return c.JSON(http.StatusOK, s.Result())
}

// completeOpen completes an upload that is not done yet, with these parts, and returns its session. If another
// request completes the upload meanwhile, completeOpen returns the session of that.
func (h *Handler) completeOpen(c *intake.Call, s *session.Session, reqParts namedParts) (*session.Session, error) {
	parts, err := reqParts.storageParts()
	if err != nil {
		return nil, err
	}
	if s.Phase != session.PhaseOpen {
		// An earlier request has begun to complete the upload. The session has the parts which that request named.
		return h.finishParts(c.Context(), s)
	}

	upload, err := storage.ContinueUpload(c.Context(), h.Store.Bucket, s.Token)
	if err != nil {
		return nil, refusal.StoreFailed(err)
	}
	etags, err := h.checkParts(c.Context(), s, upload, parts)
	if err != nil {
		return h.sessionIfCompleted(c, err)
	}
	s.ETags = etags
	s.PartsSum = reqParts.hash()
	return h.finishParts(c.Context(), s)
}

// sessionIfCompleted is called after the parts of the upload could not be used because of partsErr. If another request
// has completed the upload meanwhile, it returns the session. If another request is completing it, it fails with
// BeingCompleted. Otherwise it returns partsErr.
func (h *Handler) sessionIfCompleted(c *intake.Call, partsErr error) (*session.Session, error) {
	hasNoParts := storage.CodeOf(partsErr) == storage.ObjectNotFound
	isCompleted := refusal.CodeOf(partsErr) == refusal.CodeCompleted
	if !hasNoParts && !isCompleted {
		// The error has another reason.
		return nil, partsErr
	}

	// Read the state again, to see what the other request has done.
	s, err := h.loadParts(c)
	if err != nil {
		return nil, err
	}
	if s.Phase == session.PhaseDone {
		return s, nil
	}
	if hasNoParts && s.Phase != session.PhaseOpen {
		// The other request has used the parts, and is about to finish.
		return nil, refusal.BeingCompleted()
	}
	return nil, partsErr
}

// hash returns a hash of the numbers and ETags of the parts.
func (p namedParts) hash() string {
	sum := sha256.New()
	for _, part := range p {
		_, _ = fmt.Fprintf(sum, "%d %q\n", part.Number, strings.Trim(part.ETag, `"`))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// finishParts makes the file of a session by completing its multipart upload with the parts whose ETags the
// session has.
func (h *Handler) finishParts(ctx context.Context, s *session.Session) (*session.Session, error) {
	// Finish changes the session, so take the values out first.
	token := s.Token
	parts := session.NumberedParts(len(s.ETags))
	for i, etag := range s.ETags {
		parts[i].ETag = etag
	}
	return h.Uploads.Finish(ctx, s, func(ctx context.Context, _ string) (*storage.Attrs, error) {
		return h.makeObject(ctx, s, token, parts)
	})
}

// makeObject completes the multipart upload with this token. If the store refuses the parts because one was replaced
// after its ETag was compared, makeObject fails with SendAgain.
func (h *Handler) makeObject(
	ctx context.Context, s *session.Session, token string, parts []storage.UploadedPart,
) (*storage.Attrs, error) {
	upload, err := storage.ContinueUpload(ctx, h.Store.Bucket, token)
	if err != nil {
		return nil, err
	}
	attrs, err := upload.Complete(ctx, storage.WithParts(parts...))
	if storage.CodeOf(err) != storage.InvalidArgument {
		return attrs, err
	}

	// The store has refused the parts. Find out whether one was replaced.
	_, checkErr := h.checkParts(ctx, s, upload, parts)
	refused, isRefusal := checkErr.(*refusal.Error)
	if !isRefusal || refused.Code != refusal.CodePartsChanged {
		return nil, err
	}
	refused.Err = err
	return nil, session.SendAgain{Refusal: refused}
}

// sameETag reports whether two ETags are equal, with or without quotes. "" is equal to any ETag.
func sameETag(a, b string) bool {
	return a == "" || b == "" || strings.Trim(a, `"`) == strings.Trim(b, `"`)
}

// storageParts converts the parts to the form that the store needs. It fails unless they are numbered 1, 2,
// 3 and so on.
func (p namedParts) storageParts() ([]storage.UploadedPart, error) {
	if len(p) == 0 {
		return nil, refusal.Invalid("parts", "The request names no parts.")
	}
	parts := session.NumberedParts(len(p))
	for i, part := range p {
		if part.Number != i+1 {
			return nil, refusal.Invalid(fmt.Sprintf("parts[%d].PartNumber", i),
				"The parts must be all parts of the file, in order: 1, 2, 3.")
		}
		parts[i].ETag = part.ETag
	}
	return parts, nil
}

// checkParts compares the parts that the client lists with those in the store, and returns the store's ETag
// of each part for which the client has sent one, and "" for the others. It aborts the upload if all parts
// together are too large.
func (h *Handler) checkParts(
	ctx context.Context, s *session.Session, upload storage.MultipartUpload, parts []storage.UploadedPart,
) ([]string, error) {
	stored, err := upload.Parts(ctx)
	if err != nil {
		return nil, refusal.UploadFailed(err)
	}
	etags, total, err := compareParts(parts, stored, upload.Limits().MinSize)
	if err != nil {
		return nil, err
	}

	// Compare the length of all parts with that of the file.
	if s.Size >= 0 && total < s.Size {
		return nil, refusal.New("parts", refusal.CodeNotUploaded,
			fmt.Sprintf("The parts have %d bytes, and the file %d.", total, s.Size))
	}
	if tooLarge := checkTotal(s, total); tooLarge != nil {
		if err := h.Uploads.Abort(ctx, s); err != nil {
			return nil, err
		}
		return nil, tooLarge
	}
	return etags, nil
}

// compareParts fails if one of the parts that the client lists is not stored, differs from the stored one, or is
// smaller than minSize, except for the last one. It returns the ETags for checkParts, and the total size of the parts.
func compareParts(parts, stored []storage.UploadedPart, minSize int64) (etags []string, total int64, err error) {
	byNumber := make(map[int]storage.UploadedPart, len(stored))
	for _, part := range stored {
		byNumber[part.Number] = part
	}

	etags = make([]string, len(parts))
	for i, named := range parts {
		field := fmt.Sprintf("parts[%d]", i)
		part, exists := byNumber[named.Number]
		if !exists {
			return nil, 0, refusal.New(field, refusal.CodeNotUploaded, fmt.Sprintf("Part %d has not arrived.", named.Number))
		}
		isLast := i == len(parts)-1
		if isLast {
			minSize = 0
		}
		if err := checkPart(field, named, part, minSize); err != nil {
			return nil, 0, err
		}
		if named.ETag != "" {
			etags[i] = part.ETag
		}
		total += part.Size
	}
	return etags, total, nil
}

// checkPart fails if a part that the client has named differs from the stored one, or if that has fewer than minSize
// bytes. The error names the field of the part.
func checkPart(field string, named, stored storage.UploadedPart, minSize int64) error {
	if !sameETag(named.ETag, stored.ETag) {
		return refusal.New(field+".ETag", refusal.CodePartsChanged,
			fmt.Sprintf("Part %d is another one now. Send it again.", named.Number))
	}
	if stored.Size < minSize {
		return refusal.New(
			field, refusal.CodeWrongSize,
			fmt.Sprintf("Part %d is too small: all but the last must have %s.", named.Number, words.Bytes(minSize)),
		)
	}
	return nil
}

// checkTotal fails if the total size of the parts is larger than the file may be.
func checkTotal(s *session.Session, total int64) error {
	if s.Size >= 0 && total > s.Size { // a Size of -1 is not known
		return refusal.New("size", refusal.CodeWrongSize,
			fmt.Sprintf("The parts have %d bytes, and the file was said to have %d.", total, s.Size))
	}
	if s.Target.MaxSize > 0 && total > s.Target.MaxSize {
		return refusal.TooLarge("parts", s.Target.MaxSize)
	}
	return nil
}
