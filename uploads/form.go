package uploads

import (
	"context"
	"errors"
	"io"
	"math"
	"mime/multipart"
	"net/http"
)

const (
	maxFormFields = 100      // parts without a file, which are skipped
	formOverhead  = 1 << 20  // bytes of such parts, and of boundaries and headers
	maxPartHeader = 64 << 10 // bytes of a part's header, and of what is read ahead of it
)

// storeForm stores every file of a form, or none.
func (h *handler) storeForm(c *call) (status int, value any, err error) {
	body := c.Body
	frame := &frameReader{from: http.MaxBytesReader(c.w, body, h.maxBody())}
	c.Body = frame
	parts, err := c.MultipartReader()
	if err != nil {
		return 0, nil, refuseField("", InvalidRequest, "The files must be sent as multipart/form-data.")
	}
	c.form = body
	var stored []*Result
	defer func() {
		if err != nil {
			h.discardAll(c.Context(), stored)
		}
	}()
	for fields := 0; ; {
		part, err := frame.next(parts)
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, nil, formFailure(err)
		}
		if part.FileName() == "" {
			if part.FormName() == "" { // its header is malformed, so it may be anything
				return 0, nil, refuseField("", InvalidRequest, "The form is not understood.")
			}
			if fields++; fields > maxFormFields {
				return 0, nil, refuseField("", InvalidRequest, "The form has too many fields.")
			}
			if _, err := io.Copy(io.Discard, part); err != nil {
				return 0, nil, formFailure(err)
			}
			continue
		}
		r, err := h.storePart(c, part, len(stored))
		if err != nil {
			return 0, nil, err
		}
		stored = append(stored, r)
	}
	if len(stored) == 0 {
		return 0, nil, refuse(NoFile, "There is no file.")
	}
	return http.StatusCreated, map[string]any{"files": stored}, nil
}

// A frameReader limits the bytes between the files. mime/multipart would hold up to
// 10 MiB of a part's header, several times over.
type frameReader struct {
	from    io.ReadCloser
	between bool
	left    int64 // bytes, while it is between two parts
}

var errFrame = errors.New("a part's header is longer than 64 KiB")

func (f *frameReader) next(parts *multipart.Reader) (*multipart.Part, error) {
	f.between, f.left = true, maxPartHeader
	defer func() { f.between = false }()
	return parts.NextPart()
}

func (f *frameReader) Read(p []byte) (int, error) {
	if !f.between {
		return f.from.Read(p)
	}
	if f.left <= 0 {
		return 0, errFrame
	}
	n, err := f.from.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	return n, err
}

func (f *frameReader) Close() error { return f.from.Close() }

func (h *handler) storePart(c *call, part *multipart.Part, before int) (*Result, error) {
	if before == h.config.MaxFiles {
		return nil, refuse(TooManyFiles, "There are too many files: send fewer at once.")
	}
	return h.service.StorePart(c.Context(), part, c.values)
}

// maxBody returns the length of the largest form.
func (h *handler) maxBody() int64 {
	files, each := int64(h.config.MaxFiles), h.service.judge.Rules().MaxSize
	if each > (math.MaxInt64-formOverhead)/files {
		return math.MaxInt64
	}
	return files*each + formOverhead
}

// formFailure returns the error for a read error between the files.
func formFailure(err error) *Error {
	if e := interrupted(err); e.Code == TooLarge || errors.Is(err, io.ErrUnexpectedEOF) {
		return e
	}
	return refuseField("", InvalidRequest, "The form is not understood.")
}

func (h *handler) discardAll(ctx context.Context, stored []*Result) {
	for _, r := range stored {
		h.service.discard(ctx, r.Key)
	}
}
