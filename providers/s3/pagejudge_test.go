package s3

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	smithytime "github.com/aws/smithy-go/time"

	"github.com/omnibucket/storage"
)

// errOutOfCourt is for what encoding/xml is no judge of: it knows the letters
// of an older XML, and reads declarations by guess.
var errOutOfCourt = errors.New("nobody can tell")

// A node is an element with all that is in it.
type node struct {
	name     string
	text     string // all of it, joined
	children []*node
}

// judgedPage is what an answer says by encoding/xml, or why it says nothing.
func judgedPage(answer []byte) (*storage.Page, error) {
	root, err := judgedTree(answer)
	if err != nil {
		return nil, err
	}
	if len(root.name) < 4 || !strings.EqualFold(root.name[:4], "List") {
		return nil, errors.New("no list")
	}
	j := &judge{page: &storage.Page{Entries: []storage.ListEntry{}}}
	for _, n := range root.children {
		if err := j.element(n); err != nil {
			return nil, err
		}
	}
	return j.page, j.finish()
}

type judge struct {
	page             *storage.Page
	escaped          bool
	truncated, ended bool
}

func (j *judge) element(n *node) (err error) {
	switch strings.ToLower(n.name) {
	case "contents", "commonprefixes":
		e := storage.ListEntry{IsPrefix: strings.EqualFold(n.name, "commonprefixes")}
		for _, field := range n.children {
			if err := judgedField(&e, field); err != nil {
				return err
			}
		}
		j.page.Entries = append(j.page.Entries, e)
	case "nextcontinuationtoken":
		j.page.Token, err = n.value()
	case "encodingtype":
		var value string
		value, err = n.value()
		j.escaped = strings.Trim(value, " \t\r\n") == "url"
	case "istruncated":
		var value string
		if value, err = n.value(); err == nil {
			j.truncated, err = strconv.ParseBool(strings.Trim(value, " \t\r\n"))
			j.ended = !j.truncated
		}
	}
	return err
}

func judgedField(e *storage.ListEntry, n *node) error {
	name := strings.ToLower(n.name)
	if e.IsPrefix {
		if name != "prefix" {
			return nil
		}
		name = "key"
	}
	if !slices.Contains([]string{"key", "size", "etag", "lastmodified"}, name) {
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
		if e.Size, err = strconv.ParseInt(trimmed, 10, 64); e.Size < 0 {
			err = errors.New("negative")
		}
	case "etag":
		e.ETag = quoted(&value)
		e.Revision = e.ETag
	case "lastmodified":
		e.Modified, err = smithytime.ParseDateTime(trimmed)
		e.Modified = e.Modified.UTC().Truncate(time.Second)
	}
	return err
}

func (j *judge) finish() (err error) {
	for i := range j.page.Entries {
		if key := &j.page.Entries[i].Key; j.escaped {
			if *key, err = url.QueryUnescape(*key); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(j.page.Entries, func(a, b storage.ListEntry) int { return cmp.Compare(a.Key, b.Key) })
	if j.truncated && j.page.Token == "" {
		return errors.New("it goes on nowhere")
	}
	if j.ended {
		j.page.Token = ""
	}
	return nil
}

func (n *node) value() (string, error) {
	if len(n.children) > 0 {
		return "", errors.New("an element in a text")
	}
	return n.text, nil
}

// judgedTree is the document up to the end of its root.
func judgedTree(answer []byte) (*node, error) {
	if nameOfOldLetters.Match(answer) {
		return nil, errOutOfCourt
	}
	decoder := xml.NewDecoder(bytes.NewReader(answer))
	top := &node{}
	for open := []*node{top}; ; {
		at := decoder.InputOffset()
		token, err := decoder.Token()
		if err != nil {
			if text := err.Error(); strings.Contains(text, "unsupported version") || strings.Contains(text, "encoding \"") {
				return nil, errOutOfCourt
			}
			return nil, err
		}
		inner := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local}
			if inner.children = append(inner.children, n); len(open) > maxDepth {
				return nil, errors.New("too deep")
			}
			open = append(open, n)
		case xml.EndElement:
			if open = open[:len(open)-1]; len(open) == 1 {
				return top.children[0], nil
			}
		case xml.CharData:
			text := string(token)
			if len(open) == 1 && !blank(text, at) || len(open) == 1 && bytes.HasPrefix(answer[at:], []byte("<!")) {
				return nil, errors.New("text outside")
			}
			inner.text += text
		case xml.Directive:
			return nil, errors.New("a declaration of a type")
		case xml.ProcInst:
			if err := judgedInstruction(token); err != nil {
				return nil, err
			}
		}
	}
}

func blank(text string, at int64) bool {
	if at == 0 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	return strings.Trim(text, " \t\r\n") == ""
}

var (
	// nameOfOldLetters is a tag with something in it that is not ASCII.
	nameOfOldLetters = regexp.MustCompile(`[<&][^>;]*[\x{80}-\x{10FFFF}]`)
	xmlDeclaration   = regexp.MustCompile(`^([ \t\r\n]*[A-Za-z_:][A-Za-z0-9_.-]*:?[A-Za-z0-9_.-]*[ \t\r\n]*=[ \t\r\n]*("[^"]*"|'[^']*'))*[ \t\r\n]*$`)
	encodingDeclared = regexp.MustCompile(`(?:^|["' \t\r\n])encoding[ \t\r\n]*=[ \t\r\n]*["']([^"']*)`)
)

func judgedInstruction(token xml.ProcInst) error {
	if strings.Count(token.Target, ":") > 1 {
		return errors.New("a name of three parts")
	}
	if token.Target != "xml" {
		return nil
	}
	if !xmlDeclaration.Match(token.Inst) {
		return errors.New("no declaration")
	}
	if strings.Contains(string(token.Inst), "encoding") || strings.Contains(string(token.Inst), "version") {
		if found := encodingDeclared.FindSubmatch(token.Inst); found != nil && !strings.EqualFold(string(found[1]), "utf-8") {
			return errOutOfCourt
		}
		if !bytes.Contains(token.Inst, []byte(`version="1.0"`)) && !bytes.Contains(token.Inst, []byte(`version='1.0'`)) {
			return errOutOfCourt
		}
	}
	return nil
}

// An answering client answers every request with the same page.
type answering []byte

func (a answering) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a))}, nil
}

// pageOfTheSDK is what the SDK's own decoder makes of an answer; nil where it
// fails, and where there is a key that is not escaped as the answer says.
func pageOfTheSDK(t *testing.T, answer []byte) *storage.Page {
	client := awss3.New(awss3.Options{Region: "us-east-1", Credentials: aws.AnonymousCredentials{}, HTTPClient: answering(answer), Retryer: aws.NopRetryer{}})
	out, err := client.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("photos")})
	if err != nil {
		return nil
	}
	j := &judge{page: &storage.Page{Entries: []storage.ListEntry{}, Token: aws.ToString(out.NextContinuationToken)}}
	j.escaped = out.EncodingType == "url"
	j.truncated, j.ended = aws.ToBool(out.IsTruncated), out.IsTruncated != nil && !*out.IsTruncated
	for _, o := range out.Contents {
		e := storage.ListEntry{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), ETag: quoted(o.ETag), Revision: quoted(o.ETag), Modified: modified(o.LastModified)}
		j.page.Entries = append(j.page.Entries, e)
	}
	for _, p := range out.CommonPrefixes {
		j.page.Entries = append(j.page.Entries, storage.ListEntry{Key: aws.ToString(p.Prefix), IsPrefix: true})
	}
	if j.finish() != nil {
		return nil
	}
	return j.page
}
