package uploads

import (
	"context"
	"io"
	"math"
	"mime/multipart"
	"net/http"
)

const (
	maxFields     = 100      // of a form, which are skipped
	maxFieldBytes = 64 << 10 // of such fields before the file of /s3/single
	formOverhead  = 1 << 20  // bytes of such fields beside files, and of boundaries and headers
	maxPartHeader = 64 << 10 // bytes of a part's header, and of what is read ahead of it
)

// storeForm stores every file of a form, or none.
func (h *routes) storeForm(c *call) (err error) {
	release, err := c.share(feedBytes)
	if err != nil {
		return err
	}
	defer release()
	form, err := newFormReader(c, http.MaxBytesReader(c.w, c.idleBody(), h.maxBody()), "", formOverhead)
	if err != nil {
		return err
	}
	c.form = c.Body
	var stored []*File
	defer func() {
		if err != nil {
			h.discardAll(c.Context(), stored)
		}
	}()
	for {
		part, err := form.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		r, err := h.storePart(c, part, len(stored))
		if err != nil {
			return err
		}
		stored = append(stored, r)
	}
	if len(stored) == 0 {
		return noFile()
	}
	for _, f := range stored {
		if err = h.service.tell(c.Context(), f); err != nil {
			return err
		}
	}
	return c.json(http.StatusCreated, map[string]any{"files": stored})
}

func (h *routes) storePart(c *call, part *multipart.Part, before int) (*File, error) {
	if before == h.service.config.MaxFiles {
		return nil, refuseFile(TooManyFiles, "There are too many files: send fewer at once.")
	}
	return h.service.storePart(c.Context(), part, c.user)
}

// maxBody returns the length of the largest form.
func (h *routes) maxBody() int64 {
	files, each := int64(h.service.config.MaxFiles), h.service.judge.Rules().MaxSize
	if each > (math.MaxInt64-formOverhead)/files {
		return math.MaxInt64
	}
	return files*each + formOverhead
}

func (h *routes) discardAll(ctx context.Context, stored []*File) {
	for _, r := range stored {
		h.service.discardFile(ctx, r)
	}
}
