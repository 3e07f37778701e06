package s3server

import (
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A listing has the parameters that all lists of keys share.
type listing struct {
	prefix, delimiter, encoding string
	max                         int
	restores                    bool // shows the restored copies
	now                         time.Time
}

type commonPrefix struct{ Prefix xmldoc.Text }

func (r *request) listing(maxParameter string) (listing, error) {
	l := listing{prefix: r.query.Get("prefix"), delimiter: r.query.Get("delimiter"), encoding: r.query.Get("encoding-type")}
	if l.encoding != "" && l.encoding != "url" {
		return l, s3error.New("InvalidArgument", "ArgumentName", "encoding-type", "ArgumentValue", l.encoding).WithMessage("Invalid Encoding Method specified in Request")
	}
	for name := range strings.SplitSeq(strings.Join(r.Header.Values("X-Amz-Optional-Object-Attributes"), ","), ",") {
		switch strings.TrimSpace(name) {
		case "":
		case "RestoreStatus":
			l.restores, l.now = true, r.server.now()
		default:
			return l, s3error.New("InvalidArgument", "ArgumentName", "x-amz-optional-object-attributes", "ArgumentValue", name).WithMessage("Invalid attribute name specified")
		}
	}
	var err error
	l.max, err = pageSize(r, maxParameter)
	return l, err
}

// pageSize returns the size of a page. A larger number than the limit is no error.
func pageSize(r *request, parameter string) (int, error) {
	most := r.server.limits.MaxPage
	n, err := r.number(parameter, most)
	return min(n, most), err
}

// encode encodes a key as the client asked. S3 encodes as a form does, with a plus sign
// for a space, but keeps slashes.
func (l listing) encode(key string) xmldoc.Text {
	if l.encoding == "" {
		return xmldoc.Text(key)
	}
	return xmldoc.Text(strings.ReplaceAll(url.QueryEscape(key), "%2F", "/"))
}

// commonPrefix returns the common prefix that contains key, if there is one.
func (l listing) commonPrefix(key string) (string, bool) {
	if l.delimiter == "" || !strings.HasPrefix(key, l.prefix) {
		return "", false
	}
	i := strings.Index(key[len(l.prefix):], l.delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(l.prefix)+i+len(l.delimiter)], true
}

type objectList struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Xmlns                 string   `xml:"xmlns,attr"`
	Name                  string
	Prefix                xmldoc.Text
	StartAfter            xmldoc.Text `xml:",omitempty"`
	ContinuationToken     string      `xml:",omitempty"`
	NextContinuationToken string      `xml:",omitempty"`
	KeyCount              int
	MaxKeys               int
	Delimiter             xmldoc.Text `xml:",omitempty"`
	EncodingType          string      `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listedObject
	CommonPrefixes        []commonPrefix
}

type listedObject struct {
	Key               xmldoc.Text
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	StorageClass      string
	Owner             *accounts.Owner
	RestoreStatus     *restoreStatus
}

// listObjects is ListObjectsV2.
func listObjects(r *request) error {
	l, err := r.listing("max-keys")
	if err != nil {
		return err
	}
	startAfter, token := r.query.Get("start-after"), r.query.Get("continuation-token")
	after := position{key: startAfter}
	if r.has("continuation-token") {
		if after, err = parseListToken(token); err != nil {
			return err
		}
	}
	result := objectList{
		Xmlns: xmldoc.Namespace, Name: r.target.bucket, Prefix: l.encode(l.prefix), StartAfter: l.encode(startAfter), ContinuationToken: token,
		MaxKeys: l.max, Delimiter: l.encode(l.delimiter), EncodingType: l.encoding,
	}
	var next position
	if r.server.config.folderOrder {
		after.prefix = after.prefix || !r.has("continuation-token") // start-after may be the name of a folder
	}
	var owners func(*object) accounts.Owner
	if r.query.Get("fetch-owner") == "true" {
		if owners, err = r.owners(); err != nil {
			return err
		}
	}
	result.IsTruncated, err = r.list(l, after, func(v *version, common string) {
		if v == nil {
			result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
			next = position{key: common, prefix: true}
			return
		}
		result.Contents = append(result.Contents, l.entry(v, owners))
		next = position{key: v.key}
	})
	if err != nil {
		return err
	}
	result.KeyCount = len(result.Contents) + len(result.CommonPrefixes)
	if result.IsTruncated {
		result.NextContinuationToken = listToken(next)
	}
	if r.fault.reverses() {
		slices.Reverse(result.Contents)
		slices.Reverse(result.CommonPrefixes)
	}
	return r.writeXML(result)
}

func (l listing) entry(v *version, owners func(*object) accounts.Owner) listedObject {
	o := listedObject{
		Key: l.encode(v.key), LastModified: xmldoc.Time(v.modified), ETag: v.object.etag, Size: v.object.size, StorageClass: v.object.properties.class,
		ChecksumAlgorithm: v.object.sum.Algorithm(), ChecksumType: v.object.sum.Covers, RestoreStatus: l.restoreStatus(v),
	}
	if owners != nil {
		shown := owners(&v.object)
		o.Owner = &shown
	}
	return o
}

const tokenMAC = 8 // bytes

// tokenKey makes tokens opaque. It is no secret, so that a token outlives a restart.
var tokenKey = []byte("continuation-token")

// listToken returns an opaque token.
func listToken(p position) string {
	kind := "k"
	if p.prefix {
		kind = "p"
	}
	message := kind + p.key
	sum := sign.MAC(tokenKey, message)
	return base64.StdEncoding.EncodeToString(append(sum[:tokenMAC], message...))
}

func parseListToken(token string) (position, error) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) <= tokenMAC || !sign.Equal(string(raw[:tokenMAC]), string(sign.MAC(tokenKey, string(raw[tokenMAC:]))[:tokenMAC])) {
		return position{}, s3error.New("InvalidArgument", "ArgumentName", "continuation-token", "ArgumentValue", token).WithMessage("The continuation token provided is incorrect")
	}
	message := string(raw[tokenMAC:])
	return position{key: message[1:], prefix: message[0] == 'p'}, nil
}
