package s3server

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"iter"
	"net/url"
	"slices"
	"strings"
)

// A listing has the parameters that all lists of keys share.
type listing struct {
	prefix, delimiter, encoding string
	max                         int
}

type commonPrefix struct{ Prefix text }

func (r *request) listing(maxParameter string) (listing, error) {
	l := listing{prefix: r.query.Get("prefix"), delimiter: r.query.Get("delimiter"), encoding: r.query.Get("encoding-type")}
	if l.encoding != "" && l.encoding != "url" {
		return l, newError("InvalidArgument", "ArgumentName", "encoding-type", "ArgumentValue", l.encoding).withMessage("Invalid Encoding Method specified in Request")
	}
	var err error
	l.max, err = r.pageSize(maxParameter)
	return l, err
}

// pageSize returns the size of a page. A larger number than the limit is no error.
func (r *request) pageSize(parameter string) (int, error) {
	most := r.server.limits.MaxPage
	n, err := r.number(parameter, most)
	return min(n, most), err
}

// encode encodes a key as the client asked. S3 encodes as a form does, with a plus sign
// for a space, but keeps slashes.
func (l listing) encode(key string) text {
	if l.encoding == "" {
		return text(key)
	}
	return text(strings.ReplaceAll(url.QueryEscape(key), "%2F", "/"))
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
	after := position{key: startAfter}
	if r.has("continuation-token") {
		if after, err = r.server.parseToken(token); err != nil {
			return err
		}
	}
	result := objectList{
		Xmlns: namespace, Name: r.bucket, Prefix: l.encode(l.prefix), StartAfter: l.encode(startAfter), ContinuationToken: token,
		MaxKeys: l.max, Delimiter: l.encode(l.delimiter), EncodingType: l.encoding,
	}
	var next position
	walk := l.walk
	if r.server.config.FolderOrder {
		walk = l.walkTree
		after.prefix = after.prefix || !r.has("continuation-token") // start-after may be the name of a folder
	}
	err = r.view(func(b *bucket) error {
		result.IsTruncated = walk(b, after, func(v *version, common string) {
			if v == nil {
				result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
				next = position{common, true}
				return
			}
			result.Contents = append(result.Contents, l.entry(b, v, r.query.Get("fetch-owner") == "true"))
			next = position{v.key, false}
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
	if r.fault.reverses() {
		slices.Reverse(result.Contents)
		slices.Reverse(result.CommonPrefixes)
	}
	return r.writeXML(result)
}

func (l listing) entry(b *bucket, v *version, withOwner bool) listedObject {
	o := listedObject{
		Key: l.encode(v.key), LastModified: isoTime(v.modified), ETag: v.etag, Size: v.size, StorageClass: v.class,
		ChecksumAlgorithm: v.sum.kind.name, ChecksumType: v.sum.covers,
	}
	if withOwner {
		shown := ownerOf(b.ownerOf(&v.object))
		o.Owner = &shown
	}
	return o
}

// walk shows the current objects after a position, and each common prefix once. It
// reports whether there are more than the page holds. After a position that is a
// common prefix, no key with that prefix follows; after a key with the prefix, the
// prefix is shown again.
func (l listing) walk(b *bucket, after position, show func(v *version, common string)) (more bool) {
	return l.page(l.currentFrom(b, max(l.prefix, after.key)), func(key string) bool {
		return key > after.key && (!after.prefix || !strings.HasPrefix(key, after.key))
	}, show)
}

// walkTree is walk in the order of SeaweedFS (4.44, weed/s3api, doListFilerEntries).
// It compares names folder by folder, so that all of "a/…" comes at the place of "a",
// before "a-b". If the position does not begin with the prefix, it lists nothing
// (seaweedfs#11321). A start-after that is the name of a folder skips the folder.
func (l listing) walkTree(b *bucket, after position, show func(v *version, common string)) (more bool) {
	if !strings.HasPrefix(after.key, l.prefix) && after.key != "" {
		return false
	}
	if l.delimiter != "" {
		after.key = strings.TrimSuffix(after.key, l.delimiter)
	}
	inTree := slices.SortedFunc(l.currentFrom(b, l.prefix), func(a, b *version) int { return cmp.Compare(treePath(a.key), treePath(b.key)) })
	return l.page(slices.Values(inTree), func(key string) bool {
		return after.key == "" || treePath(key) > treePath(after.key) && (!after.prefix || !strings.HasPrefix(key, after.key+"/"))
	}, show)
}

// treePath returns key in a form that sorts as in a tree: no character is before the slash.
func treePath(key string) string { return strings.ReplaceAll(key, "/", "\x00") }

// currentFrom yields the current objects with the listing's prefix, from a key on.
func (l listing) currentFrom(b *bucket, start string) iter.Seq[*version] {
	return func(yield func(*version) bool) {
		keys := b.keys.Iter()
		for ok := keys.Seek(start); ok && strings.HasPrefix(keys.Key(), l.prefix); ok = keys.Next() {
			if v := keys.Value()[0]; !v.marker && !yield(v) {
				return
			}
		}
	}
}

// page shows one page of the versions whose key isAfter accepts.
func (l listing) page(versions iter.Seq[*version], isAfter func(key string) bool, show func(v *version, common string)) (more bool) {
	shown, last := 0, ""
	for v := range versions {
		if !isAfter(v.key) {
			continue
		}
		common, rolled := l.commonPrefix(v.key)
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

// A position in a listing is after a key, or after all keys with a prefix.
type position struct {
	key    string
	prefix bool
}

const tokenMAC = 8 // bytes

// tokenKey makes tokens opaque. It is no secret, so that a token outlives a restart.
var tokenKey = []byte("continuation-token")

// token returns an opaque token.
func (h *Handler) token(p position) string {
	kind := "k"
	if p.prefix {
		kind = "p"
	}
	message := kind + p.key
	sum := mac(tokenKey, message)
	return base64.StdEncoding.EncodeToString(append(sum[:tokenMAC], message...))
}

func (h *Handler) parseToken(token string) (position, error) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) <= tokenMAC || !equalMACs(string(raw[:tokenMAC]), string(mac(tokenKey, string(raw[tokenMAC:]))[:tokenMAC])) {
		return position{}, newError("InvalidArgument", "ArgumentName", "continuation-token", "ArgumentValue", token).withMessage("The continuation token provided is incorrect")
	}
	message := string(raw[tokenMAC:])
	return position{key: message[1:], prefix: message[0] == 'p'}, nil
}
