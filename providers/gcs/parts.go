package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/crc32c"
)

// A resumable upload is a session with a URL. The URL accepts the object's bytes, one chunk after
// the other. Anyone with the URL may write, so errors do not contain it. The upload's name is the
// URL without its host.

// maxResends limits how many requests send one part. The server may keep only a beginning of the
// bytes, and the next request sends the rest. If a request makes no progress, the part fails.
const maxResends = 8

// statusAborted is the status with which Google confirms the removal of a session.
const statusAborted = 499

// BeginParts opens a session, Google's resumable upload, with the object's properties. The server
// checks the condition now, and again when it creates the object. If r.AnyOrder is set, BeginParts
// begins an open upload instead, because a session accepts bytes only in order.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	opts := newCallOptions(r.Native)
	attrs, err := d.account.attrsToSet(r.Key, &r.Properties, &r.Controls, opts)
	if err != nil {
		return "", err
	}
	if r.AnyOrder {
		return d.composites.begin(ctx, r.Key, attrs)
	}
	if d.account.composite {
		// A composite upload begins without a request.
		if err := refuseMD5(attrs); err != nil {
			return "", err
		}
		return newCompositeUpload(attrs.StorageClass), nil
	}

	req, err := d.bucket.sessionRequest(ctx, r, attrs, opts)
	if err != nil {
		return "", err
	}
	resp, err := d.account.send(req, http.StatusOK, http.StatusCreated)
	if err != nil {
		return "", d.bucket.lockError(ctx, listError(err), r.Condition, &r.Controls)
	}
	_ = resp.Body.Close() // the headers tell everything
	return sessionOf(resp)
}

// sessionRequest returns the request that opens a session for an object with these attributes.
func (b *bucket) sessionRequest(
	ctx context.Context, r *driver.PutRequest, attrs *gcs.ObjectAttrs, opts *callOptions,
) (*http.Request, error) {
	query := b.uploadQuery("resumable", attrs)
	if err := setCondition(query, r.Condition); err != nil {
		return nil, err
	}

	object := resourceOf(attrs)
	document, err := json.Marshal(object)
	if err != nil {
		return nil, argument.Invalid("attributes", "cannot be written as JSON", "")
	}

	req, err := b.account.request(
		withCallOptions(ctx, opts), http.MethodPost, b.uploadPath(query),
		bytes.NewReader(document), int64(len(document)),
	)
	if err != nil {
		return nil, err
	}

	// Describe the bytes that will follow.
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	req.Header.Set("X-Upload-Content-Type", object.partType())
	opts.key.SetHeaders(req.Header, "X-Goog-")
	if r.Size >= 0 {
		req.Header.Set("X-Upload-Content-Length", strconv.FormatInt(r.Size, 10))
	}
	return req, nil
}

// sessionOf returns the name of the resumable session that a response has opened. The name is the path and
// query of the session's URL.
func sessionOf(resp *http.Response) (string, error) {
	location := resp.Header.Get("Location")
	if location == "" {
		return "", noEvidence(resp.StatusCode, "it has no Location of an upload")
	}
	u, err := url.Parse(location)
	if err != nil || !isSession(u.RequestURI()) {
		return "", &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the server opened an upload at another Location"),
		}
	}
	return u.RequestURI(), nil
}

// isSession reports whether path, a URL without its host, is the URL of an upload. The caller must
// check this, because the upload's name may come from a file, and credentials must not be sent to
// any other URL.
func isSession(path string) bool {
	u, err := url.Parse(path)
	if err != nil {
		return false
	}
	return strings.HasPrefix(path, "/upload/") && !strings.Contains(u.Path, "/../")
}

// PutPart sends one chunk of a session, or one object of a composite upload.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	if d.isComposite(r.Upload) {
		return d.composites.put(ctx, r)
	}
	s, err := d.account.session(r.Upload)
	if err != nil {
		return driver.Part{}, err
	}

	// Each chunk repeats the headers that options add. BeginParts has already sent the customer's key and
	// the added query parameters for the whole session.
	ctx = withRequestFields(ctx, newCallOptions(r.Native).header, nil)
	if _, err := s.sendPart(ctx, r, totalUnknown, storage.CRC32C{}); err != nil {
		return driver.Part{}, translate(err)
	}
	return driver.Part{Number: r.Number, Size: r.Size}, nil
}

// CompleteParts sends the last chunk with the object's length and CRC32C. A session whose object was
// created by an earlier attempt, with a lost response, returns the object again.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if d.isComposite(r.Upload) {
		return d.composites.complete(ctx, r)
	}
	s, err := d.account.session(r.Upload)
	if err != nil {
		return nil, err
	}

	// The last chunk has the last part, unless the caller has already sent all parts.
	last := r.Last
	if last == nil {
		last = &driver.PartRequest{Offset: r.Put.Size, Body: bytes.NewReader(nil)}
	}
	ctx = withRequestFields(ctx, newCallOptions(r.Put.Native).header, nil)
	object, err := write(ctx, func(ctx context.Context) (*resource, error) {
		return s.sendPart(ctx, last, r.Put.Size, r.Put.CRC32C)
	})
	if err != nil {
		return nil, d.bucket.lockError(ctx, err, r.Put.Condition, &r.Put.Controls)
	}
	return object.attrs(), nil
}

// AbortParts removes the session and its bytes.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	if d.isComposite(upload) {
		return d.composites.abort(ctx, key, upload)
	}
	s, err := d.account.session(upload)
	if err != nil {
		// No upload can have this name.
		return nil
	}

	req, err := d.account.request(ctx, http.MethodDelete, s.address, nil, 0)
	if err != nil {
		return err
	}
	req.TransferEncoding = []string{"identity"} // makes net/http send Content-Length: 0, which is required

	// Google confirms the removal with an error response.
	resp, err := d.account.send(req, http.StatusNoContent)
	if err != nil {
		// The session may still exist if a gateway and not Google has sent the response.
		apiErr := responseOf(err)
		if apiErr != nil && isEnded(apiErr.Code) && !isForeign(apiErr) {
			return nil
		}
		return translate(s.sessionError(err))
	}
	_ = resp.Body.Close() // the status tells everything
	return nil
}

type session struct {
	account *account
	address string // the URL without the host
}

// session returns the upload session with a name that BeginParts returned.
func (a *account) session(upload string) (*session, error) {
	if !isSession(upload) {
		return nil, argument.Invalid("upload", "must be a name that BeginParts returned", "")
	}
	return &session{account: a, address: upload}, nil
}

// totalUnknown is the size of the object in a request that sends a part other than the last one.
const totalUnknown = -1

// sendPart sends a part, and repeats the bytes that the server did not keep. For the last part,
// total is the object's size, and sendPart returns the object. For any other part, total is
// totalUnknown, and sendPart returns nil.
func (s *session) sendPart(
	ctx context.Context, r *driver.PartRequest, total int64, crc storage.CRC32C,
) (*resource, error) {
	isLast := total != totalUnknown
	start := r.Offset // offset in the object of the next byte to send
	end := r.Offset + r.Size
	for range maxResends {
		object, stored, err := s.sendChunk(ctx, r.Body, start, end, total, crc)
		if err != nil {
			return nil, s.sessionError(err)
		}
		if object != nil {
			// The server has ended the upload.
			return object, nil
		}
		hasPart := stored >= end
		if hasPart && !isLast {
			return nil, nil
		}

		// The server lacks bytes of the part, or has not yet ended the upload.
		if stored < r.Offset {
			return nil, sessionLostError(errors.New("the server has lost parts that it had accepted"))
		}
		hasProgress := stored > start || hasPart
		if !hasProgress {
			return nil, &storage.Error{
				Code:      storage.Unavailable,
				Retryable: true,
				Err:       errors.New("the server keeps none of the bytes sent"),
			}
		}

		// Send the rest. If that is empty, the request only ends the upload.
		start = min(stored, end)
		if _, err := r.Body.Seek(start-r.Offset, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return nil, &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Err:       errors.New("the server keeps too few of the bytes sent"),
	}
}

// sendChunk sends one request, and returns the resource of the object if the request creates it, or
// else the number of bytes that the server has.
func (s *session) sendChunk(
	ctx context.Context, body io.Reader, start, end, total int64, crc storage.CRC32C,
) (*resource, int64, error) {
	req, err := s.account.request(ctx, http.MethodPut, s.address, io.NopCloser(body), end-start)
	if err != nil {
		return nil, 0, err
	}

	// Only the last request states the size of the object.
	isLast := total != totalUnknown
	req.Header.Set("Content-Range", chunkRange(start, end, total))
	if isLast && crc.Known {
		req.Header.Set("X-Goog-Hash", "crc32c="+crc32c.Encode(crc.Sum))
	}

	resp, err := s.account.send(req, http.StatusOK, http.StatusCreated, http.StatusPermanentRedirect)
	if err != nil {
		return nil, 0, err
	}

	// Status 308 means that the upload is not complete.
	if resp.StatusCode == http.StatusPermanentRedirect {
		// Read the body, so that the connection can be reused. If that fails, it is not reused.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorBody))
		_ = resp.Body.Close()
		stored, err := parseStoredRange(resp.Header.Get("Range"))
		return nil, stored, err
	}
	if !isLast {
		_ = resp.Body.Close() // the upload must restart anyway
		return nil, 0, sessionLostError(errors.New("the server has completed the upload before its last part"))
	}
	object, err := readWriteResponse(resp)
	return object, 0, err
}

// chunkRange returns the Content-Range of the chunk of an upload from start to before end. total is the
// size of the object for the last chunk, and totalUnknown for any other chunk.
func chunkRange(start, end, total int64) string {
	size := "*"
	if total != totalUnknown {
		size = strconv.FormatInt(total, 10)
	}
	if start == end {
		return "bytes */" + size
	}
	return fmt.Sprintf("bytes %d-%d/%s", start, end-1, size)
}

// parseStoredRange returns the number of bytes of an upload that the server has stored. header is its Range
// header, such as "bytes=0-99" for 100 bytes, or "" if it has stored nothing.
func parseStoredRange(header string) (int64, error) {
	if header == "" {
		return 0, nil
	}
	last, ok := strings.CutPrefix(header, "bytes=0-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the server returned an invalid Range for the upload"),
		}
	}
	return n + 1, nil
}

// sessionError returns the error for a failed request to a session, without the URL of the session. If the
// session has ended, the error makes the engine restart the upload.
func (s *session) sessionError(err error) error {
	err = redactSession(err)
	apiErr := responseOf(err)
	if apiErr == nil || !isEnded(apiErr.Code) {
		return err
	}
	lostErr := sessionLostError(err)
	lostErr.Unknown = isForeign(apiErr)
	return lostErr
}

// isEnded reports whether the service sends this status for a session that has ended.
func isEnded(status int) bool {
	return status == http.StatusNotFound || status == http.StatusGone || status == statusAborted
}

// redactSession returns err without the URL of a session, which the SDK's errors contain, and without
// the request's id, in which the server returns the secret part of the URL.
func redactSession(err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		return &requestError{urlErr.Err}
	}
	apiErr := responseOf(err)
	if apiErr == nil {
		return err
	}
	bare := *apiErr
	bare.Header = apiErr.Header.Clone()
	if bare.Header.Get(requestIDHeader) != "" {
		// Drop the id, but keep the header, which shows that Google responded.
		bare.Header[requestIDHeader] = nil
	}
	bare.Header.Del("Location")
	return &bare
}

// sessionLostError returns the error that makes the engine restart the upload.
func sessionLostError(err error) *storage.Error {
	return &storage.Error{Code: storage.Unavailable, Status: http.StatusConflict, Retryable: true, Err: err}
}
