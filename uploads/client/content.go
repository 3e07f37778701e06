package client

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// A Content has the bytes of a file, or of a range. The caller must close it.
type Content struct {
	io.ReadCloser
	Length      int64  // of the bytes to read; -1: not known
	Range       string // Content-Range; "" for a whole file
	ContentType string
	ETag        string
	FileName    string // the original name
}

// Download opens a client file for reading. byteRange is a range by RFC 9110
// ("bytes=0-1023"); "" is the whole file.
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
