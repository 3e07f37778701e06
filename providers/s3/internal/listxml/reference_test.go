package listxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	smithytime "github.com/aws/smithy-go/time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// A node is an element with its content.
type node struct {
	name     string
	text     string // joined
	children []*node
}

// referencePage reads a response with encoding/xml. The root is an element whose name begins with
// "List".
func referencePage(response []byte) (*storage.Page, error) {
	root, err := referenceTree(response)
	if err != nil {
		return nil, err
	}
	if len(root.name) < len("List") || !strings.EqualFold(root.name[:len("List")], "List") {
		return nil, errors.New("not a listing")
	}
	b := &pageBuilder{page: &storage.Page{Entries: []storage.ListEntry{}}}
	for _, n := range root.children {
		if err := b.element(n); err != nil {
			return nil, err
		}
	}
	return b.page, b.finish()
}

// A pageBuilder makes a page of the elements of a response.
type pageBuilder struct {
	page      *storage.Page
	isEscaped bool // the keys are
	truncated bool // the response says that it is
	ended     bool // the response says that it is not truncated
}

// element adds an element of the root to the page. It ignores an element that ReadObjects does not
// read.
func (b *pageBuilder) element(n *node) (err error) {
	switch strings.ToLower(n.name) {
	case "contents", "commonprefixes":
		e := storage.ListEntry{IsPrefix: strings.EqualFold(n.name, "commonprefixes")}
		for _, field := range n.children {
			if err := referenceField(&e, field); err != nil {
				return err
			}
		}
		b.page.Entries = append(b.page.Entries, e)
	case "nextcontinuationtoken":
		b.page.Token, err = n.value()
	case "encodingtype":
		value, err := n.value()
		b.isEscaped = strings.Trim(value, " \t\r\n") == "url"
		return err
	case "istruncated":
		value, err := n.value()
		if err != nil {
			return err
		}
		b.truncated, err = strconv.ParseBool(strings.Trim(value, " \t\r\n"))
		b.ended = !b.truncated
		return err
	}
	return err
}

// referenceField sets the field of an entry from the element n of the entry. It ignores an element that
// is not a field.
func referenceField(e *storage.ListEntry, n *node) error {
	name := strings.ToLower(n.name)
	if e.IsPrefix {
		if name != "prefix" {
			return nil
		}
		name = "key"
	}
	if !slices.Contains([]string{"key", "size", "etag", "lastmodified", "storageclass"}, name) {
		return nil
	}
	value, err := n.value()
	if err != nil {
		return err
	}
	trimmed := strings.Trim(value, " \t\r\n")
	switch name {
	case "key":
		e.Key = value
	case "size":
		e.Size, err = strconv.ParseInt(trimmed, 10, 64)
		if e.Size < 0 {
			err = errors.New("negative")
		}
	case "etag":
		e.ETag = httpheader.ETag(value)
		e.Revision = e.ETag
	case "storageclass":
		e.StorageClass = httpheader.StorageClass(value)
	case "lastmodified":
		e.Modified, err = smithytime.ParseDateTime(trimmed)
		e.Modified = e.Modified.UTC().Truncate(time.Second)
	}
	return err
}

// finish unescapes the keys if the response said so, sorts the entries and checks the token.
func (b *pageBuilder) finish() (err error) {
	if b.isEscaped {
		for i := range b.page.Entries {
			entry := &b.page.Entries[i]
			entry.Key, err = url.QueryUnescape(entry.Key)
			if err != nil {
				return err
			}
		}
	}
	slices.SortFunc(b.page.Entries, func(x, y storage.ListEntry) int { return strings.Compare(x.Key, y.Key) })
	if b.truncated && b.page.Token == "" {
		return errors.New("truncated without a token")
	}
	if b.ended {
		b.page.Token = ""
	}
	return nil
}

// value returns the text of an element that has only text.
func (n *node) value() (string, error) {
	if len(n.children) > 0 {
		return "", errors.New("an element in text")
	}
	return n.text, nil
}

// referenceTree returns the root of a document. It does not read the text after the root.
func referenceTree(response []byte) (*node, error) {
	decoder := xml.NewDecoder(bytes.NewReader(response))
	document := &node{}
	// open has the document and the elements that are not closed yet.
	for open := []*node{document}; ; {
		offset := decoder.InputOffset()
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		parent := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local}
			parent.children = append(parent.children, n)
			if len(open) > maxDepth {
				return nil, errors.New("too deep")
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
			if len(open) == 1 {
				return document.children[0], nil
			}
		case xml.CharData:
			text := string(token)
			if len(open) == 1 && !blank(text, offset) {
				return nil, errors.New("text outside of the root")
			}
			parent.text += text
		case xml.Directive:
			return nil, errors.New("a document type")
		}
	}
}

// blank reports whether the text at the offset has only spaces, or a byte order mark at the start.
func blank(text string, offset int64) bool {
	if offset == 0 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	return strings.Trim(text, " \t\r\n") == ""
}

// A fixedResponse is an HTTP client that returns the same body for every request.
type fixedResponse []byte

func (f fixedResponse) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(f))}, nil
}

// anonymousClient returns a client that sends unsigned requests, and repeats none of them.
func anonymousClient(c awss3.HTTPClient) *awss3.Client {
	return awss3.New(awss3.Options{
		Region:      "us-east-1",
		Credentials: aws.AnonymousCredentials{},
		HTTPClient:  c,
		Retryer:     aws.NopRetryer{},
	})
}

// sdkPage reads a response with the SDK's decoder. It returns nil if that fails, or if
// a key is not escaped as the response says.
func sdkPage(t *testing.T, response []byte) *storage.Page {
	client := anonymousClient(fixedResponse(response))
	output, err := client.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("photos")})
	if err != nil {
		return nil
	}
	b := &pageBuilder{
		page: &storage.Page{
			Entries: []storage.ListEntry{},
			Token:   aws.ToString(output.NextContinuationToken),
		},
		isEscaped: output.EncodingType == "url",
		truncated: aws.ToBool(output.IsTruncated),
		ended:     output.IsTruncated != nil && !*output.IsTruncated,
	}
	for _, o := range output.Contents {
		b.page.Entries = append(b.page.Entries, storage.ListEntry{
			Key:          aws.ToString(o.Key),
			Size:         aws.ToInt64(o.Size),
			ETag:         httpheader.ETag(aws.ToString(o.ETag)),
			Revision:     httpheader.ETag(aws.ToString(o.ETag)),
			Modified:     aws.ToTime(o.LastModified).UTC().Truncate(time.Second),
			StorageClass: httpheader.StorageClass(string(o.StorageClass)),
		})
	}
	for _, p := range output.CommonPrefixes {
		b.page.Entries = append(b.page.Entries, storage.ListEntry{
			Key:      aws.ToString(p.Prefix),
			IsPrefix: true,
		})
	}
	if b.finish() != nil {
		return nil
	}
	return b.page
}
