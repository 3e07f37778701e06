package filesapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/timeid"
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

// listParameters are the parameters that the query of a list may have.
var listParameters = []string{queryPurpose, fieldUploader, fieldFrom, fieldTo, fieldPageToken, fieldPageSize}

// A page is the JSON of a page of records.
type page struct {
	Items         []*Record `json:"Items"`
	NextPageToken string    `json:"NextPageToken,omitempty"`
}

// list sends a page of the client files that match the query.
func (h *handler) list(c *call) error {
	query, err := readQuery(c.Request, listParameters)
	if err != nil {
		return err
	}
	from, err := timeIn(query, fieldFrom)
	if err != nil {
		return err
	}
	to, err := timeIn(query, fieldTo)
	if err != nil {
		return err
	}
	pageSize := defaultPageSize
	if query.Has(fieldPageSize) {
		pageSize, err = strconv.Atoi(query.Get(fieldPageSize))
		if err != nil {
			return invalid(fieldPageSize, "This must be a number.")
		}
	}

	// Send the page.
	f := uploads.Filter{
		Purpose: query.Get(queryPurpose),
		User:    query.Get(fieldUploader),
		From:    from,
		To:      to,
	}
	p, err := h.page(c.Context(), f, query.Get(fieldPageToken), pageSize)
	if err != nil {
		// In the query, these fields have other names.
		err = renameField(err, fieldPurpose, queryPurpose)
		return renameField(err, fieldUser, fieldUploader)
	}
	return c.json(http.StatusOK, p)
}

// readQuery parses the query of a request. It refuses parameters that occur twice, and unknown ones, because
// the list would have all files if a filter were misspelled.
func readQuery(r *http.Request, names []string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse("", uploads.InvalidRequest, "The query is not understood.")
	}
	for name, values := range query {
		if !slices.Contains(names, name) {
			return nil, refuse(name, uploads.InvalidRequest, "This is not a parameter of the list.")
		}
		if len(values) > 1 {
			return nil, refuse(name, uploads.InvalidRequest, "This parameter is given twice.")
		}
		// A Filter with "" would match all files.
		if values[0] == "" && (name == queryPurpose || name == fieldUploader) {
			return nil, invalid(name, "This parameter is empty. Leave it out to have all files.")
		}
	}
	return query, nil
}

// timeIn returns the time in a parameter of a query, or the zero time if there is none.
func timeIn(query url.Values, name string) (time.Time, error) {
	if !query.Has(name) {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, query.Get(name))
	if err != nil || t.IsZero() {
		// A Filter with the zero time would not limit the list.
		return time.Time{}, invalid(name, "This must be a time such as 2026-11-20T09:30:00Z.")
	}
	return t, nil
}

const maxPage = 1000

// page returns a page of at most size client files that match f, oldest first. Only the last page has no
// token, and any page may have fewer files or none.
func (h *handler) page(ctx context.Context, f uploads.Filter, token string, size int) (*page, error) {
	if size < 1 {
		return nil, invalid(fieldPageSize, "A page must have at least one file.")
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return nil, invalid(fieldFrom, "The time span ends before it begins.")
	}
	if err := validateLabel(fieldPurpose, f.Purpose); err != nil {
		return nil, err
	}
	if err := validateLabel(fieldUser, f.User); err != nil {
		return nil, err
	}

	// Read the page.
	startAfter, err := openToken(f, token)
	if err != nil {
		return nil, err
	}
	files, next, err := h.service.Records().List(ctx, f, startAfter, min(size, maxPage))
	if err != nil {
		return nil, clientError(err)
	}

	// Without records, the JSON has an empty array.
	p := &page{Items: []*Record{}, NextPageToken: sealToken(f, next)}
	for _, f := range files {
		p.Items = append(p.Items, recordOf(f))
	}
	return p, nil
}

// markBytes is the length of the mark at the beginning of a token.
const markBytes = 8

// sealToken makes the token of the next page from the filter and the ID after which that page
// starts. The token is not secret, because changing it can only change the start of the page.
func sealToken(f uploads.Filter, startAfter string) string {
	if startAfter == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(filterMark(f, startAfter) + startAfter))
}

// openToken returns the ID after which the page of a token starts, or "" for no token. It fails if the token
// belongs to another filter.
func openToken(f uploads.Filter, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	content, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(content) != markBytes+timeid.Length {
		return "", invalidToken()
	}

	// A token consists of the mark of its filter and the ID.
	mark := string(content[:markBytes])
	startAfter := string(content[markBytes:])
	if mark != filterMark(f, startAfter) {
		return "", invalidToken()
	}
	return startAfter, validateID(startAfter)
}

func invalidToken() error {
	return invalid(fieldPageToken, "This is not the token of a page of these files.")
}

// filterMark returns the beginning of a hash of a filter and an ID, which makes a token invalid for any other
// filter.
func filterMark(f uploads.Filter, startAfter string) string {
	f.From = f.From.UTC()
	f.To = f.To.UTC()
	// Marshal fails for years that JSON does not have, and the hash is then that of an empty text.
	text, _ := json.Marshal(struct {
		uploads.Filter
		After string
	}{f, startAfter})
	sum := sha256.Sum256(text)
	return string(sum[:markBytes])
}
