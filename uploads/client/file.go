package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// statusOK has the status that most operations return on success.
var statusOK = []int{http.StatusOK}

// Details returns the record of a client file.
func (c *Client) Details(ctx context.Context, id string) (*filesapi.Record, error) {
	return doJSON(ctx, c, request{method: http.MethodGet, path: "files/" + url.PathEscape(id), success: statusOK}, isRecord)
}

// Delete removes a client file. If the file does not exist, it returns nil.
func (c *Client) Delete(ctx context.Context, id string) error {
	resp, err := c.do(ctx, request{
		method:  http.MethodDelete,
		path:    "files/" + url.PathEscape(id),
		success: []int{http.StatusNoContent},
	})
	if err != nil {
		return err
	}
	// The response has no body.
	_ = resp.Body.Close()
	return nil
}

// A Deletion is the result of [Client.DeleteMany] for one file.
type Deletion struct {
	ID      string
	Deleted bool
	Err     *uploads.Error // nil if the file was deleted
}

// DeleteMany removes client files. If the removal of one file fails, it continues with the next
// one. It returns one result for each ID, in the order of ids.
func (c *Client) DeleteMany(ctx context.Context, ids []string) ([]Deletion, error) {
	type deletions struct {
		Items []struct {
			ID      string
			Deleted bool
			Error   *problem
		}
	}
	r := jsonRequest(http.MethodPost, "files/delete", map[string]any{"Items": ids})
	// A response of this API has one result for each ID.
	isValid := func(d deletions) bool { return len(d.Items) == len(ids) }
	resp, err := doJSON(ctx, c, r, isValid)
	if err != nil {
		return nil, err
	}

	results := make([]Deletion, len(resp.Items))
	for i, item := range resp.Items {
		results[i] = Deletion{ID: item.ID, Deleted: item.Deleted}
		if item.Error != nil {
			results[i].Err = item.Error.uploadsError()
		}
	}
	return results, nil
}

// SetPurpose changes the purpose of a client file. If purpose is "", SetPurpose removes it.
func (c *Client) SetPurpose(ctx context.Context, id, purpose string) (*filesapi.Record, error) {
	path := "files/" + url.PathEscape(id) + "/purpose"
	r := jsonRequest(http.MethodPut, path, map[string]any{"Purpose": purpose})
	return doJSON(ctx, c, r, isRecord)
}

// A Page is one page of [Client.List].
type Page struct {
	Records []*filesapi.Record
	Token   string // token of the next page; "" on the last page
}

// List returns one page of the client files that match f, oldest first. token is the Token of the
// previous page, or "" for the first page. The page has at most size files. If size is 0, the
// server's default is used.
func (c *Client) List(ctx context.Context, f uploads.Filter, token string, size int) (*Page, error) {
	query := url.Values{}
	setNonEmpty(query, "purpose", f.Purpose)
	setNonEmpty(query, "uploadedBy", f.User)
	setNonEmpty(query, "from", formatTime(f.From))
	setNonEmpty(query, "to", formatTime(f.To))
	setNonEmpty(query, "pageToken", token)
	if size != 0 {
		query.Set("pageSize", strconv.Itoa(size))
	}

	type page struct {
		Items         []*filesapi.Record
		NextPageToken string
	}
	// A response of the API has Items even if it is empty.
	isValid := func(p page) bool { return p.Items != nil }
	p, err := doJSON(ctx, c, request{method: http.MethodGet, path: "files", query: query, success: statusOK}, isValid)
	if err != nil {
		return nil, err
	}
	return &Page{Records: p.Items, Token: p.NextPageToken}, nil
}

// setNonEmpty sets a parameter of a query, unless value is "".
func setNonEmpty(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// formatTime formats a time as a parameter of a query, or as "" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// OpenAPI returns the OpenAPI description that the handler serves, in YAML.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: "openapi.yaml", success: statusOK})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") != "application/yaml" {
		return nil, foreignResponse(resp)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxDocument))
}

// jsonRequest returns a request with value as its JSON body.
func jsonRequest(method, path string, value any) request {
	// Marshal cannot fail for the values of this package.
	document, _ := json.Marshal(value)
	return request{
		method:  method,
		path:    path,
		success: statusOK,
		header:  http.Header{"Content-Type": {"application/json"}},
		body:    bytes.NewReader(document),
		length:  int64(len(document)),
	}
}

// A Content is the content of a file, or of a byte range, with its headers. The caller must close
// it.
type Content struct {
	io.ReadCloser
	Length      int64  // number of bytes to read; -1 means not known
	Range       string // value of Content-Range; "" for a whole file
	ContentType string
	ETag        string
	FileName    string // the original name
}

// Download opens a client file for reading. byteRange is a range in the form of RFC 9110, such as
// "bytes=0-1023". If byteRange is "", Download returns the whole file.
func (c *Client) Download(ctx context.Context, id, byteRange string) (*Content, error) {
	return c.content(ctx, http.MethodGet, "files/", id, byteRange)
}

// DownloadTemp opens a temp file for reading. byteRange has the form that [Client.Download]
// accepts.
func (c *Client) DownloadTemp(ctx context.Context, id, byteRange string) (*Content, error) {
	return c.content(ctx, http.MethodGet, "temp-files/", id, byteRange)
}

// Head returns what [Client.Download] returns for the whole file, but with no bytes to read. Length
// is the length of the file.
func (c *Client) Head(ctx context.Context, id string) (*Content, error) {
	return c.content(ctx, http.MethodHead, "files/", id, "")
}

// HeadTemp returns what [Client.DownloadTemp] returns for the whole file, but with no bytes to
// read.
func (c *Client) HeadTemp(ctx context.Context, id string) (*Content, error) {
	return c.content(ctx, http.MethodHead, "temp-files/", id, "")
}

// content requests a file by method, GET or HEAD, and returns its content. The path is base followed by the
// ID; an empty byteRange asks for the whole file.
func (c *Client) content(ctx context.Context, method, base, id, byteRange string) (*Content, error) {
	r := request{
		method:  method,
		path:    base + url.PathEscape(id) + "/content",
		header:  http.Header{},
		success: statusOK,
	}
	if byteRange != "" {
		r.success = []int{http.StatusOK, http.StatusPartialContent}
		r.header.Set("Range", byteRange)
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}

	header := resp.Header
	disposition, params, err := mime.ParseMediaType(header.Get("Content-Disposition"))
	if err != nil || disposition != "attachment" {
		// The API serves every file as an attachment.
		_ = resp.Body.Close()
		return nil, foreignResponse(resp)
	}

	return &Content{
		ReadCloser:  resp.Body,
		Length:      resp.ContentLength,
		Range:       header.Get("Content-Range"),
		ContentType: header.Get("Content-Type"),
		ETag:        header.Get("Etag"),
		FileName:    params["filename"],
	}, nil
}
