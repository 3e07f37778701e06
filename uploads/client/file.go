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

// ok is the status of success of most operations.
var ok = []int{http.StatusOK}

// Details returns the record of a client file.
func (c *Client) Details(ctx context.Context, id string) (*filesapi.Record, error) {
	return ask(ctx, c, request{method: http.MethodGet, path: "files/" + url.PathEscape(id), success: ok}, isRecord)
}

// Delete removes a client file. If there is none, it returns nil.
func (c *Client) Delete(ctx context.Context, id string) error {
	response, err := c.do(
		ctx,
		request{method: http.MethodDelete, path: "files/" + url.PathEscape(id), success: []int{http.StatusNoContent}},
	)
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

// A Deletion is the result for one file of [Client.DeleteMany].
type Deletion struct {
	ID      string
	Deleted bool
	Err     *uploads.Error // nil if it was deleted
}

// DeleteMany removes client files, and continues after failures. It returns one
// result for each ID, in order.
func (c *Client) DeleteMany(ctx context.Context, ids []string) ([]Deletion, error) {
	r := jsonRequest(http.MethodPost, "files/delete", map[string]any{"Items": ids})
	type deletions struct {
		Items []struct {
			ID      string
			Deleted bool
			Error   *problem
		}
	}
	response, err := ask(ctx, c, r, func(d deletions) bool { return len(d.Items) == len(ids) })
	if err != nil {
		return nil, err
	}
	results := make([]Deletion, len(response.Items))
	for i, item := range response.Items {
		results[i] = Deletion{ID: item.ID, Deleted: item.Deleted}
		if e := item.Error; e != nil {
			results[i].Err = e.told()
		}
	}
	return results, nil
}

// SetPurpose changes a client file's purpose; "" removes it.
func (c *Client) SetPurpose(ctx context.Context, id, purpose string) (*filesapi.Record, error) {
	return ask(
		ctx, c, jsonRequest(http.MethodPut, "files/"+url.PathEscape(id)+"/purpose", map[string]any{"Purpose": purpose}),
		isRecord,
	)
}

// A Page is one page of [Client.List].
type Page struct {
	Records []*filesapi.Record
	Token   string // token of the next page; "" on the last page
}

// List returns one page of the client files that match f, oldest first. The page starts at
// token and has at most size files; 0 means the server's default.
func (c *Client) List(ctx context.Context, f uploads.Filter, token string, size int) (*Page, error) {
	query := url.Values{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("purpose", f.Purpose)
	set("uploadedBy", f.User)
	set("from", timeText(f.From))
	set("to", timeText(f.To))
	set("pageToken", token)
	if size != 0 {
		set("pageSize", strconv.Itoa(size))
	}
	type page struct {
		Items         []*filesapi.Record
		NextPageToken string
	}
	ours := func(p page) bool { return p.Items != nil } // Items is "[]" if there are none
	found, err := ask(ctx, c, request{method: http.MethodGet, path: "files", query: query, success: ok}, ours)
	if err != nil {
		return nil, err
	}
	return &Page{Records: found.Items, Token: found.NextPageToken}, nil
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// OpenAPI returns the handler's description, in YAML.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	response, err := c.do(ctx, request{method: http.MethodGet, path: "openapi.yaml", success: ok})
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.Header.Get("Content-Type") != "application/yaml" {
		return nil, foreignResponse(response)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxDocument))
}

func jsonRequest(method, path string, value any) request {
	document, _ := json.Marshal(value) // texts never fail
	return request{
		method: method, path: path, success: ok,
		header: http.Header{"Content-Type": {"application/json"}},
		body:   bytes.NewReader(document), length: int64(len(document)),
	}
}

// A Content has the bytes of a file, or of a range. The caller must close it.
type Content struct {
	io.ReadCloser
	Length      int64  // number of bytes to read; -1 means not known
	Range       string // Content-Range; "" for a whole file
	ContentType string
	ETag        string
	FileName    string // the original name
}

// Download opens a client file for reading. byteRange is a range by RFC 9110 ("bytes=0-1023");
// "" means the whole file.
func (c *Client) Download(ctx context.Context, id, byteRange string) (*Content, error) {
	return c.content(ctx, http.MethodGet, "files/", id, byteRange)
}

// DownloadTemp opens a temp file for reading, like [Client.Download].
func (c *Client) DownloadTemp(ctx context.Context, id, byteRange string) (*Content, error) {
	return c.content(ctx, http.MethodGet, "temp-files/", id, byteRange)
}

// Head is like [Client.Download] without the bytes. Length is that of the file.
func (c *Client) Head(ctx context.Context, id string) (*Content, error) {
	return c.content(ctx, http.MethodHead, "files/", id, "")
}

// HeadTemp is like [Client.DownloadTemp] without the bytes.
func (c *Client) HeadTemp(ctx context.Context, id string) (*Content, error) {
	return c.content(ctx, http.MethodHead, "temp-files/", id, "")
}

func (c *Client) content(ctx context.Context, method, under, id, byteRange string) (*Content, error) {
	r := request{method: method, path: under + url.PathEscape(id) + "/content", header: http.Header{}, success: ok}
	if byteRange != "" {
		r.success = []int{http.StatusOK, http.StatusPartialContent}
		r.header.Set("Range", byteRange)
	}
	response, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	header := response.Header
	disposition, params, err := mime.ParseMediaType(header.Get("Content-Disposition"))
	if err != nil || disposition != "attachment" { // every download is an attachment
		_ = response.Body.Close()
		return nil, foreignResponse(response)
	}
	return &Content{
		ReadCloser: response.Body, Length: response.ContentLength, Range: header.Get("Content-Range"),
		ContentType: header.Get("Content-Type"), ETag: header.Get("Etag"), FileName: params["filename"],
	}, nil
}
