package s3server

import (
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"slices"
	"strings"
)

// A listing is what every list of keys can be asked.
type listing struct {
	prefix, delimiter, encoding string
	max                         int
}

type commonPrefix struct{ Prefix text }

func (r *request) listing(maxParameter string) (listing, error) {
	l := listing{prefix: r.query.Get("prefix"), delimiter: r.query.Get("delimiter"), encoding: r.query.Get("encoding-type")}
	if l.encoding != "" && l.encoding != "url" {
		return l, refuse("InvalidArgument", "ArgumentName", "encoding-type", "ArgumentValue", l.encoding).say("Invalid Encoding Method specified in Request")
	}
	var err error
	l.max, err = r.pageSize(maxParameter)
	return l, err
}

// pageSize is clamped: to ask for more is no error.
func (r *request) pageSize(parameter string) (int, error) {
	most := r.server.limits.MaxPage
	n, err := r.number(parameter, most)
	return min(n, most), err
}

// encode writes a key as the client asked. S3's encoding is that of a form: a
// space is a plus sign. Slashes stay.
func (l listing) encode(key string) text {
	if l.encoding == "" {
		return text(key)
	}
	return text(strings.ReplaceAll(url.QueryEscape(key), "%2F", "/"))
}

// roll is the common prefix that a key is shown as, if it is.
func (l listing) roll(key string) (string, bool) {
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
	Prefix                text
	StartAfter            text   `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount              int
	MaxKeys               int
	Delimiter             text   `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listedObject
	CommonPrefixes        []commonPrefix
}

type listedObject struct {
	Key               text
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	StorageClass      string
	Owner             *owner
}

// listObjects is ListObjectsV2.
func (r *request) listObjects() error {
	l, err := r.listing("max-keys")
	if err != nil {
		return err
	}
	startAfter, token := r.query.Get("start-after"), r.query.Get("continuation-token")
	after := place{key: startAfter}
	if r.has("continuation-token") {
		if after, err = r.server.parseToken(token); err != nil {
			return err
		}
	}
	result := objectList{
		Xmlns: namespace, Name: r.bucket, Prefix: l.encode(l.prefix), StartAfter: l.encode(startAfter), ContinuationToken: token,
		MaxKeys: l.max, Delimiter: l.encode(l.delimiter), EncodingType: l.encoding,
	}
	var next place
	walk := l.walk
	if r.server.config.FolderOrder {
		walk = l.walkTree
		after.prefix = after.prefix || !r.has("continuation-token") // start-after may name a folder
	}
	err = r.view(func(b *bucket) error {
		result.IsTruncated = walk(b, after, func(v *version, common string) {
			if v == nil {
				result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
				next = place{common, true}
				return
			}
			result.Contents = append(result.Contents, l.entry(v, r.query.Get("fetch-owner") == "true"))
			next = place{v.key, false}
		})
		return nil
	})
	if err != nil {
		return err
	}
	result.KeyCount = len(result.Contents) + len(result.CommonPrefixes)
	if result.IsTruncated {
		result.NextContinuationToken = r.server.token(next)
	}
	if r.rule.reverses() {
		slices.Reverse(result.Contents)
		slices.Reverse(result.CommonPrefixes)
	}
	return r.writeXML(result)
}

func (l listing) entry(v *version, withOwner bool) listedObject {
	o := listedObject{
		Key: l.encode(v.key), LastModified: isoTime(v.modified), ETag: v.etag, Size: v.size, StorageClass: v.class,
		ChecksumAlgorithm: v.sum.kind.name, ChecksumType: v.sum.covers,
	}
	if withOwner {
		o.Owner = &us
	}
	return o
}

// walk shows the current objects behind a place, keys that roll up as their
// common prefix, and tells whether there are more than the page holds. Behind a
// place that is a common prefix lies nothing that begins with it; behind a key
// inside of one the prefix comes again.
func (l listing) walk(b *bucket, after place, show func(v *version, common string)) (more bool) {
	shown, last := 0, ""
	keys := b.keys.Iter()
	for ok := keys.Seek(max(l.prefix, after.key)); ok && strings.HasPrefix(keys.Key(), l.prefix); ok = keys.Next() {
		key, v := keys.Key(), keys.Value()[0]
		if v.marker || key <= after.key || after.prefix && strings.HasPrefix(key, after.key) {
			continue
		}
		common, rolled := l.roll(key)
		if rolled && common == last {
			continue
		}
		if shown == l.max {
			return l.max > 0
		}
		shown++
		if rolled {
			last = common
			show(nil, common)
		} else {
			show(v, "")
		}
	}
	return false
}

// A place in a listing: behind a key, or behind all that begins with a prefix.
type place struct {
	key    string
	prefix bool
}

const tokenMAC = 8 // bytes

// token is opaque: nobody can make one that this server did not give.
func (h *Handler) token(p place) string {
	kind := "k"
	if p.prefix {
		kind = "p"
	}
	message := kind + p.key
	sum := mac([]byte(h.config.SecretKey), message)
	return base64.StdEncoding.EncodeToString(append(sum[:tokenMAC], message...))
}

func (h *Handler) parseToken(token string) (place, error) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) <= tokenMAC || !equalMACs(string(raw[:tokenMAC]), string(mac([]byte(h.config.SecretKey), string(raw[tokenMAC:]))[:tokenMAC])) {
		return place{}, refuse("InvalidArgument", "ArgumentName", "continuation-token", "ArgumentValue", token).say("The continuation token provided is incorrect")
	}
	message := string(raw[tokenMAC:])
	return place{key: message[1:], prefix: message[0] == 'p'}, nil
}
