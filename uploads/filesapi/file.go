package filesapi

import (
	"net/http"

	"github.com/omnibucket/storage/internal/parallel"
)

func (h *handler) details(c *call) error {
	record, err := h.store.details(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, record)
}

func (h *handler) delete(c *call) error {
	if err := h.store.delete(c.Context(), c.PathValue("id")); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) setPurpose(c *call) error {
	var purpose string
	if err := readField(c.Request, fieldPurpose, maxJSON, &purpose); err != nil {
		return err
	}
	record, err := h.store.setPurpose(c.Context(), c.PathValue("id"), purpose)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, record)
}

const (
	fieldItems = "Items"
	// removeConcurrency is how many files are removed at once.
	removeConcurrency = 8
)

// A deletion is the result for one of several files.
type deletion struct {
	ID      string   `json:"ID"`
	Deleted bool     `json:"Deleted"`
	Error   *problem `json:"Error,omitempty"`
}

func (h *handler) deleteMany(c *call) error {
	var ids []string
	if err := readField(c.Request, fieldItems, maxIDs(h.config.MaxDelete), &ids); err != nil {
		return err
	}
	if len(ids) == 0 || len(ids) > h.config.MaxDelete {
		return invalid(fieldItems, "The list is empty, or has too many files to delete at once.")
	}
	return c.json(http.StatusOK, map[string]any{fieldItems: h.deleteEach(c, ids)})
}

func (h *handler) deleteEach(c *call, ids []string) []deletion {
	deletions := make([]deletion, len(ids))
	tell := func(i int, err error) {
		deletions[i] = deletion{ID: ids[i], Deleted: err == nil}
		if err == nil {
			return
		}
		status, p := problemOf(err)
		deletions[i].Error = &p
		if status >= http.StatusInternalServerError && h.config.OnError != nil {
			h.config.OnError(c.Request, err)
		}
	}
	var allowed []string
	var places []int
	for i, id := range ids {
		err := validateID(id)
		if err == nil {
			err = h.authorizeFile(c, id)
		}
		if err != nil {
			tell(i, err)
			continue
		}
		allowed, places = append(allowed, id), append(places, i)
	}
	for i, err := range parallel.All(len(allowed), removeConcurrency, func(i int) error { return h.store.delete(c.Context(), allowed[i]) }) {
		tell(places[i], err)
	}
	return deletions
}
