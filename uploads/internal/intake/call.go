package intake

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// A Call is one request.
type Call struct {
	*http.Request
	W       http.ResponseWriter
	Memory  *Memory
	User    session.User
	Refused RefusedBody // set if the body was refused after a part of it was read
}

// A RefusedBody is a body that is read in a goroutine of its own.
type RefusedBody interface {
	// Close stops reading, and reports whether the goroutine has ended.
	Close() bool
}

// JSON responds with a JSON document.
func (c *Call) JSON(status int, value any) error {
	webserver.WriteJSON(c.W, status, "application/json", value)
	return nil
}

// MethodNotAllowed returns the error for a method that is not allowed, and sets the header Allow.
func (c *Call) MethodNotAllowed(allowed string) *refusal.Error {
	c.W.Header().Set("Allow", allowed)
	err := refusal.New("method", refusal.CodeInvalidRequest, "This method is not allowed here.")
	err.Status = http.StatusMethodNotAllowed
	return err
}

// smallDocument is the size in bytes up to which a JSON document takes no memory from MemoryLimit.
const smallDocument = 4 << 10

// ReadJSON decodes a JSON body of at most limit bytes, and ignores unknown fields. It takes memory for a long body,
// because the decoder holds all of it.
func (c *Call) ReadJSON(dst any, limit int64) error {
	const strict = false
	return c.readJSON(dst, limit, strict)
}

// ReadStrictJSON is ReadJSON, but refuses unknown fields.
func (c *Call) ReadStrictJSON(dst any, limit int64) error {
	const strict = true
	return c.readJSON(dst, limit, strict)
}

// readJSON decodes a JSON body, without unknown fields if strict is true.
func (c *Call) readJSON(dst any, limit int64, strict bool) error {
	// A page of another origin cannot send this type without a preflight request.
	mediaType, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return refusal.WrongType("The request must be application/json.")
	}

	isSmall := c.ContentLength >= 0 && c.ContentLength <= smallDocument
	if !isSmall {
		release, err := c.reserveDocument(limit)
		if err != nil {
			return err
		}
		defer release()
	}

	decoder := json.NewDecoder(http.MaxBytesReader(c.W, Body(c.W, c.Request), limit))
	// A float64 would change long numbers in metadata.
	decoder.UseNumber()
	if strict {
		decoder.DisallowUnknownFields()
	}

	// The body may be too long, malformed or incomplete.
	err = decoder.Decode(dst)
	if err != nil {
		return refusal.New("", refusal.CodeInvalidRequest, "The request is not understood.")
	}
	return nil
}

// reserveDocument takes memory for a JSON body of at most limit bytes, until release is called. It fails with Busy if
// there is no memory.
func (c *Call) reserveDocument(limit int64) (release func(), err error) {
	// The decoder never holds more than limit bytes, even if the body is longer.
	length := limit
	if c.ContentLength >= 0 {
		length = min(limit, c.ContentLength)
	}
	release, err = Take(c.Memory.Feeds, c.Request, c.User.ID, length)
	if err != nil {
		return nil, refusal.Busy(err)
	}
	return release, nil
}

// Share takes memory for reading the body of the request and for a buffer of the bucket, until release is
// called. It fails with Busy if there is no memory.
func (c *Call) Share(bufferSize int64) (release func(), err error) {
	release, err = c.Memory.Share(c.Request, c.User.ID, bufferSize)
	if err != nil {
		return nil, refusal.Busy(err)
	}
	return release, nil
}

// BoundedBody returns the body of the request. Unless limit is 0, BoundedBody or a later Read fails if the
// body is longer than limit bytes. Read also fails if the client sends too slowly.
func (c *Call) BoundedBody(limit int64) (io.Reader, error) {
	if limit <= 0 {
		return Body(c.W, c.Request), nil
	}
	if c.ContentLength > limit {
		return nil, refusal.TooLarge("Content-Length", limit)
	}
	return bodyio.LimitReader(Body(c.W, c.Request), limit, refusal.TooLarge("body", limit)), nil
}
