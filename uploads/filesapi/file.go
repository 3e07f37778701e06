package filesapi

import (
	"context"
	"net/http"
	"path"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// details sends the record of a client file, and treats a temp file as missing.
func (h *handler) details(c *call) error {
	f, err := h.service.Records().Record(c.Context(), c.PathValue("id"))
	if err != nil {
		return clientError(err)
	}
	isTemp := !f.Expires.IsZero()
	if isTemp {
		return notFound()
	}
	return c.json(http.StatusOK, recordOf(f))
}

// delete handles DELETE of a client file.
func (h *handler) delete(c *call) error {
	if err := h.remove(c.Context(), c.PathValue("id")); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// remove removes a client file or, if there is no record, the bytes that an interrupted call may have left. A
// temp file stays.
func (h *handler) remove(ctx context.Context, id string) error {
	f, err := h.service.Records().Record(ctx, id)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return clientError(h.service.Remove(ctx, &uploads.File{ID: id}))
	}
	if err != nil {
		return clientError(err)
	}
	isTemp := !f.Expires.IsZero()
	if isTemp {
		return nil
	}
	return clientError(h.service.Remove(ctx, f))
}

// setPurpose changes the purpose of a client file to the one in the body, and sends its record.
func (h *handler) setPurpose(c *call) error {
	var purpose string
	if err := readField(c.Request, fieldPurpose, maxJSON, &purpose); err != nil {
		return err
	}
	if err := validateLabel(fieldPurpose, purpose); err != nil {
		return err
	}
	f, err := h.service.Records().SetPurpose(c.Context(), c.PathValue("id"), purpose)
	if err != nil {
		return clientError(err)
	}
	return c.json(http.StatusOK, recordOf(f))
}

const (
	fieldItems = "Items"
	// removeConcurrency is how many files are removed at the same time.
	removeConcurrency = 8
)

// A deletion is the JSON of the result for one file of a request that removes several.
type deletion struct {
	ID      string   `json:"ID"`
	Deleted bool     `json:"Deleted"`
	Error   *problem `json:"Error,omitempty"`
}

// deleteMany removes the client files with the IDs in the body, and sends a result for each.
func (h *handler) deleteMany(c *call) error {
	// Limit the length of the JSON by the number of IDs. The constant keeps the product from an overflow.
	const maxFiles = 1 << 40
	idsLimit := idJSON * min(int64(h.config.MaxDelete), maxFiles)
	limit := max(maxJSON, idsLimit)

	var ids []string
	if err := readField(c.Request, fieldItems, limit, &ids); err != nil {
		return err
	}
	if len(ids) == 0 || len(ids) > h.config.MaxDelete {
		return invalid(fieldItems, "The list is empty, or has too many files to delete at once.")
	}
	return c.json(http.StatusOK, map[string]any{fieldItems: h.deleteEach(c, ids)})
}

// deleteEach removes client files, and returns a result for each ID, in the same order.
func (h *handler) deleteEach(c *call, ids []string) []deletion {
	denials := make([]error, len(ids))
	for i, id := range ids {
		denials[i] = h.authorizeFile(c, id)
	}
	errs := running.All(len(ids), removeConcurrency, func(i int) error {
		if denials[i] != nil {
			return denials[i]
		}
		return h.remove(c.Context(), ids[i])
	})

	deletions := make([]deletion, len(ids))
	for i, err := range errs {
		deletions[i] = deletion{ID: ids[i], Deleted: err == nil}
		if err != nil {
			_, p := h.reportError(c.Request, err)
			deletions[i].Error = &p
		}
	}
	return deletions
}

// A Record describes a stored file in responses of the API.
type Record struct {
	ID string `json:"ID"` // 36 characters, 128 bits of them random; IDs sort by Created
	// FileExt is an extension with its dot, in lower case, such as ".jpg". If uploads.Config.Rules
	// check the content, the content decides the extension. Otherwise FileExt is the extension of
	// OriginalFileName, if that extension has 1 to 15 ASCII letters and digits. If there is no such
	// extension, FileExt is "".
	FileExt string `json:"FileExt"`
	// MIMEType is determined by the Rules if they check the content, otherwise by FileExt,
	// otherwise by the first bytes.
	MIMEType string `json:"MIMEType"`
	// 1 to 1,000 characters without control characters; escape it in HTML
	OriginalFileName string `json:"OriginalFileName"`
	OriginalLength   int64  `json:"OriginalLength"` // bytes
	UploadedBy       string `json:"UploadedByUser.ID"`
	Purpose          string `json:"Purpose,omitempty"`
	// Created is when the upload started, in UTC, to the millisecond. For a file in parts, it is
	// when all parts had arrived.
	Created time.Time `json:"Created"`
	// CRC32C (Castagnoli) is the checksum of all bytes. It is unknown if the file was sent in parts
	// and the store has no checksum for joined parts.
	CRC32C storage.CRC32C `json:"CRC32C,omitzero"`
}

// recordOf converts f, which may be nil, to a Record.
func recordOf(f *uploads.File) *Record {
	if f == nil {
		return nil
	}
	return &Record{
		ID:               f.ID,
		FileExt:          path.Ext(f.Key),
		MIMEType:         f.ContentType,
		OriginalFileName: f.Name,
		OriginalLength:   f.Size,
		UploadedBy:       f.User.ID,
		Purpose:          f.Purpose,
		Created:          timeid.Time(f.ID),
		CRC32C:           f.CRC32C,
	}
}
