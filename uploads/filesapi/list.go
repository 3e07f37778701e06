package filesapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/omnibucket/storage/uploads"
)

const (
	fieldUploader   = "uploadedBy"
	fieldFrom       = "from"
	fieldTo         = "to"
	fieldPageToken  = "pageToken"
	fieldPageSize   = "pageSize"
	queryPurpose    = "purpose"
	defaultPageSize = 100
)

var listParameters = []string{queryPurpose, fieldUploader, fieldFrom, fieldTo, fieldPageToken, fieldPageSize}

// A page is one page of the list.
type page struct {
	Items         []*Record `json:"Items"`
	NextPageToken string    `json:"NextPageToken,omitempty"`
}

func (h *handler) list(c *call) error {
	query, err := readQuery(c.Request, listParameters)
	if err != nil {
		return err
	}
	f := uploads.Filter{Purpose: query.Get(queryPurpose), User: query.Get(fieldUploader)}
	if f.From, err = timeIn(query, fieldFrom); err != nil {
		return err
	}
	if f.To, err = timeIn(query, fieldTo); err != nil {
		return err
	}
	size := defaultPageSize
	if query.Has(fieldPageSize) {
		if size, err = strconv.Atoi(query.Get(fieldPageSize)); err != nil {
			return invalid(fieldPageSize, "This must be a number.")
		}
	}
	found, err := h.store.list(c.Context(), f, query.Get(fieldPageToken), size)
	if err != nil {
		return renameField(renameField(err, fieldPurpose, queryPurpose), fieldUser, fieldUploader)
	}
	writeJSON(c.w, http.StatusOK, found)
	return nil
}

// readQuery accepts each parameter once, and no unknown ones: a misspelled filter
// would list everything.
func readQuery(r *http.Request, known []string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse("", uploads.InvalidRequest, "The query is not understood.")
	}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return nil, refuse(name, uploads.InvalidRequest, "This is not a parameter of the list.")
		case len(values) > 1:
			return nil, refuse(name, uploads.InvalidRequest, "This parameter is given twice.")
		case values[0] == "" && (name == queryPurpose || name == fieldUploader): // in a Filter, "" matches any
			return nil, invalid(name, "This parameter is empty. Leave it out to have all files.")
		}
	}
	return query, nil
}

func timeIn(query url.Values, name string) (time.Time, error) {
	if !query.Has(name) {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, query.Get(name))
	if err != nil || t.IsZero() { // in a Filter, the zero time is no limit
		return time.Time{}, invalid(name, "This must be a time such as 2026-11-20T09:30:00Z.")
	}
	return t, nil
}
