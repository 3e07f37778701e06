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

// BeginParts opens a session with the object's properties. The server checks the condition now, and
// again when it creates the object. If r.AnyOrder is set, BeginParts begins an open upload instead,
// because a session accepts bytes only in order.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	c := callOf(r.Native)
	attrs, err := d.account.attrsToSet(r.Key, &r.Properties, &r.Controls, c)
	if err != nil {
		return "", err
	}

	if r.AnyOrder {
		return d.composites.begin(ctx, r.Key, attrs)
	}
	if d.account.composite {
		// A composite upload begins without a request.
		return newCompositeUpload(attrs.StorageClass), checkJoined(attrs)
	}

	query := d.bucket.uploadQuery("resumable", attrs)
	if err := setCondition(query, r.Condition); err != nil {
		return "", err
	}

	object := resourceOf(attrs)
	document, err := json.Marshal(object)
	if err != nil {
		return "", argument.Invalid("attributes", "cannot be written as JSON", "")
	}
	request, err := d.account.request(withCall(ctx, c), http.MethodPost, d.bucket.uploadPath(query),
		bytes.NewReader(document), int64(len(document)))
	if err != nil {
		return "", err
	}

	request.Header.Set("Content-Type", "application/json; charset=UTF-8")
	request.Header.Set("X-Upload-Content-Type", object.partType())
	c.key.SetHeaders(request.Header, "X-Goog-")
	if r.Size >= 0 {
		request.Header.Set("X-Upload-Content-Length", strconv.FormatInt(r.Size, 10))
	}

	response, err := d.account.send(request, http.StatusOK, http.StatusCreated)
	if err != nil {
		return "", d.bucket.lockError(ctx, listError(err), r.Condition, &r.Controls)
	}
	_ = response.Body.Close()

	location := response.Header.Get("Location")
	if location == "" {
		return "", noEvidence(response.StatusCode, "it has no Location of an upload")
	}
	address, err := url.Parse(location)
	if err != nil || !isSession(address.RequestURI()) {
		return "", &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the server opened an upload at another Location"),
		}
	}
	return address.RequestURI(), nil
}

// isSession reports whether address, a URL without its host, is the URL of an upload. The upload's
// name may come from a file, and credentials must not be sent to any other URL.
func isSession(address string) bool {
	u, err := url.Parse(address)
	return err == nil && strings.HasPrefix(address, "/upload/") && !strings.Contains(u.Path, "/../")
}

// PutPart sends one chunk of a session, or one object of a composite upload. A chunk must repeat
// the headers that options add. It need not repeat the customer's key and the query parameters that
// options add, because BeginParts has sent them for the whole session.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	if d.isComposite(r.Upload) {
		return d.composites.put(ctx, r)
	}
	s, err := d.account.session(r.Upload)
	if err != nil {
		return driver.Part{}, err
	}
	ctx = withRequestFields(ctx, callOf(r.Native).header, nil)
	if _, err := s.sendPart(ctx, r, -1, storage.CRC32C{}); err != nil {
		return driver.Part{}, translate(err)
	}
	return driver.Part{Number: r.Number, Size: r.Size}, nil
}

// CompleteParts sends the last chunk with the object's length and CRC32C. If an earlier attempt
// created the object but its response was lost, the session returns the object again.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if d.isComposite(r.Upload) {
		return d.composites.complete(ctx, r)
	}
	s, err := d.account.session(r.Upload)
	if err != nil {
		return nil, err
	}
	last := r.Last
	if last == nil {
		last = &driver.PartRequest{Offset: r.Put.Size, Body: bytes.NewReader(nil)}
	}
	ctx = withRequestFields(ctx, callOf(r.Put.Native).header, nil)
	res, err := write(ctx, func(ctx context.Context) (*resource, error) {
		return s.sendPart(ctx, last, r.Put.Size, r.Put.CRC32C)
	})
	if err != nil {
		return nil, d.bucket.lockError(ctx, err, r.Put.Condition, &r.Put.Controls)
	}
	return res.attrs(), nil
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
	request, err := d.account.request(ctx, http.MethodDelete, s.address, nil, 0)
	if err != nil {
		return err
	}
	request.TransferEncoding = []string{"identity"} // makes net/http send Content-Length: 0, which is required
	response, err := d.account.send(request, http.StatusNoContent)
	if err == nil {
		_ = response.Body.Close()
		return nil
	}
	if apiErr := responseOf(err); apiErr != nil && isEnded(apiErr.Code) &&
		!isForeign(apiErr) {
		// A gateway's 404 proves nothing.
		return nil
	}
	return translate(s.sessionError(err))
}

type session struct {
	account *account
	address string // the URL without the host
}

func (a *account) session(upload string) (*session, error) {
	if !isSession(upload) {
		return nil, argument.Invalid("upload", "must be a name that BeginParts returned", "")
	}
	return &session{account: a, address: upload}, nil
}

// sendPart sends a part, and repeats the bytes that the server did not keep. If the part is the
// last one, total is the object's size, and sendPart returns the object. Otherwise total is -1.
func (s *session) sendPart(
	ctx context.Context, r *driver.PartRequest, total int64, crc storage.CRC32C,
) (*resource, error) {
	start := r.Offset
	end := r.Offset + r.Size
	for range maxResends {
		res, stored, err := s.sendChunk(ctx, r.Body, start, end, total, crc)
		if err != nil {
			return nil, s.sessionError(err)
		}
		if res != nil {
			return res, nil
		}

		if total < 0 && stored >= end {
			return nil, nil
		}
		if stored < r.Offset {
			return nil, sessionLostError(errors.New("the server has lost parts that it had accepted"))
		}
		if stored <= start && stored < end {
			return nil, &storage.Error{
				Code:      storage.Unavailable,
				Retryable: true,
				Err:       errors.New("the server keeps none of the bytes sent"),
			}
		}

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

// sendChunk sends one request. If the request creates the object, sendChunk returns the object's
// resource. Otherwise it returns the number of bytes that the server has.
func (s *session) sendChunk(
	ctx context.Context, body io.Reader, start, end, total int64, crc storage.CRC32C,
) (*resource, int64, error) {
	request, err := s.account.request(ctx, http.MethodPut, s.address, io.NopCloser(body), end-start)
	if err != nil {
		return nil, 0, err
	}

	request.Header.Set("Content-Range", chunkRange(start, end, total))
	if total >= 0 && crc.Known {
		request.Header.Set("X-Goog-Hash", "crc32c="+crc32c.Encode(crc.Sum))
	}

	response, err := s.account.send(request, http.StatusOK, http.StatusCreated, http.StatusPermanentRedirect)
	if err != nil {
		return nil, 0, err
	}

	if response.StatusCode != http.StatusPermanentRedirect {
		if total < 0 {
			_ = response.Body.Close()
			return nil, 0, sessionLostError(errors.New("the server has completed the upload before its last part"))
		}
		res, err := readWriteResponse(response)
		return res, 0, err
	}
	// Read the body, so that the connection can be reused.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxErrorBody))
	_ = response.Body.Close()
	stored, err := parseStoredRange(response.Header.Get("Range"))
	return nil, stored, err
}

// chunkRange returns the Content-Range of a chunk. total is the object's size, which only the last
// chunk declares. It is -1 for any other chunk.
func chunkRange(start, end, total int64) string {
	size := "*"
	if total >= 0 {
		size = strconv.FormatInt(total, 10)
	}
	if start == end {
		return "bytes */" + size
	}
	return fmt.Sprintf("bytes %d-%d/%s", start, end-1, size)
}

// parseStoredRange returns the number of bytes that the server has, from a header "bytes=0-N". Without the
// header, the number is 0.
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

func (s *session) sessionError(err error) error {
	bare := redactSession(err)
	if response := responseOf(bare); response != nil && isEnded(response.Code) {
		lostErr := sessionLostError(bare)
		lostErr.Unknown = isForeign(response)
		return lostErr
	}
	return bare
}

func isEnded(status int) bool {
	return status == http.StatusNotFound || status == http.StatusGone || status == statusAborted
}

// redactSession returns err without the URL of a session. The SDK's errors contain the URL. The
// server also returns the secret part of the URL as the request's id.
func redactSession(err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		return &requestError{urlErr.Err}
	}
	response := responseOf(err)
	if response == nil {
		return err
	}
	bare := *response
	bare.Header = response.Header.Clone()
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
