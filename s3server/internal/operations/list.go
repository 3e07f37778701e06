package operations

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A listRequest has the parameters that all listings of keys share.
type listRequest struct {
	state.Listing
	encoding string
	restores bool // true if the client wants the state of restored copies
	now      time.Time
}

type commonPrefix struct{ Prefix xmldoc.Text }

// readListing reads the parameters that all listings of keys have. maxParameter names the one for the maximum number of
// entries.
func readListing(r *request.Request, maxParameter string) (l listRequest, err error) {
	l = listRequest{
		Listing:  state.Listing{Prefix: r.Query.Get("prefix"), Delimiter: r.Query.Get("delimiter")},
		encoding: r.Query.Get("encoding-type"),
	}
	if l.encoding != "" && l.encoding != "url" {
		return l, s3error.New("InvalidArgument", "ArgumentName", "encoding-type", "ArgumentValue",
			l.encoding).WithMessage("Invalid Encoding Method specified in Request")
	}

	// The client may ask for attributes that a listing has only on request.
	attributes := strings.Join(r.HTTP.Header.Values("X-Amz-Optional-Object-Attributes"), ",")
	for name := range strings.SplitSeq(attributes, ",") {
		switch strings.TrimSpace(name) {
		case "":
			// There is no header, or an empty element.
		case "RestoreStatus":
			l.restores = true
			l.now = r.Server.Now()
		default:
			return l, s3error.New("InvalidArgument", "ArgumentName", "x-amz-optional-object-attributes",
				"ArgumentValue", name).WithMessage("Invalid attribute name specified")
		}
	}
	l.Max, err = pageSize(r, maxParameter)
	return l, err
}

// pageSize returns the maximum number of entries in a page. parameter is the query parameter with
// the number. A number above the limit is reduced to the limit.
func pageSize(r *request.Request, parameter string) (int, error) {
	maximum := r.Server.Limits.MaxPage
	n, err := r.Number(parameter, maximum)
	return min(n, maximum), err
}

// encode encodes a key if the client has asked for that. Like S3, it encodes a space as a plus sign and
// leaves slashes as they are.
func (l listRequest) encode(key string) xmldoc.Text {
	if l.encoding == "" {
		return xmldoc.Text(key)
	}
	return xmldoc.Text(strings.ReplaceAll(url.QueryEscape(key), "%2F", "/"))
}

// An objectList is the XML response of ListObjects and ListObjectsV2. ListObjectsV2 continues after
// a token, and ListObjects after a key.
type objectList struct {
	Name                  string
	Prefix                xmldoc.Text
	Marker                *xmldoc.Text // only in ListObjects
	NextMarker            xmldoc.Text  `xml:",omitempty"`
	StartAfter            xmldoc.Text  `xml:",omitempty"`
	ContinuationToken     string       `xml:",omitempty"`
	NextContinuationToken string       `xml:",omitempty"`
	KeyCount              *int         // only in ListObjectsV2
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

// listObjects responds to ListObjectsV2 with a page of objects and common prefixes. The continuation token, which the
// response before has returned, is the position at which the page begins.
func listObjects(r *request.Request) error {
	l, err := readListing(r, "max-keys")
	if err != nil {
		return err
	}

	startAfter := r.Query.Get("start-after")
	token := r.Query.Get("continuation-token")
	pos := state.Position{Key: startAfter}
	if r.Has("continuation-token") {
		pos, err = parseListToken(token)
		if err != nil {
			return err
		}
	}

	result := newObjectList(r, l)
	result.StartAfter = l.encode(startAfter)
	result.ContinuationToken = token

	var owners func(*state.Object) accounts.Owner
	if r.Query.Get("fetch-owner") == "true" {
		owners, err = ownersOf(r)
		if err != nil {
			return err
		}
	}

	last, err := result.fill(r, l, pos, owners)
	if err != nil {
		return err
	}
	result.KeyCount = new(len(result.Contents) + len(result.CommonPrefixes))
	if result.IsTruncated {
		result.NextContinuationToken = listToken(last)
	}
	return writeObjectList(r, result)
}

// newObjectList returns the response to a listing, still without entries.
func newObjectList(r *request.Request, l listRequest) objectList {
	return objectList{
		Name:         r.Target.Bucket,
		Prefix:       l.encode(l.Prefix),
		MaxKeys:      l.Max,
		Delimiter:    l.encode(l.Delimiter),
		EncodingType: l.encoding,
	}
}

// writeObjectList responds with a page of a listing and, like AWS, a header with the region of the bucket.
func writeObjectList(r *request.Request, page objectList) error {
	b, err := r.Bucket()
	if err != nil {
		return err
	}
	r.Writer.Header().Set("X-Amz-Bucket-Region", b.Region)
	return r.WriteXML("ListBucketResult", page)
}

// fill adds the entries that follow a position, and returns the position of the last one. The entries have no owners if
// owners is nil.
func (o *objectList) fill(
	r *request.Request, l listRequest, pos state.Position, owners func(*state.Object) accounts.Owner,
) (last state.Position, err error) {
	o.IsTruncated, err = listPage(r, l.Listing, pos, func(v *state.Version, common string) {
		// The entry is a common prefix.
		if v == nil {
			o.CommonPrefixes = append(o.CommonPrefixes, commonPrefix{l.encode(common)})
			last = state.Position{Key: common, Prefix: true}
			return
		}
		entry := l.entry(v)
		if owners != nil {
			entry.Owner = new(owners(&v.Object))
		}
		o.Contents = append(o.Contents, entry)
		last = state.Position{Key: v.Key}
	})

	// For tests of clients, the server may have the fault that it lists in reverse order.
	if r.Fault.Reverse {
		slices.Reverse(o.Contents)
		slices.Reverse(o.CommonPrefixes)
	}
	return last, err
}

// entry returns the element for a version in a listing, without its owner.
func (l listRequest) entry(v *state.Version) listedObject {
	return listedObject{
		Key:               l.encode(v.Key),
		LastModified:      xmldoc.Time(v.Modified),
		ETag:              v.Object.ETag,
		Size:              v.Object.Size,
		StorageClass:      v.Object.Properties.Class,
		ChecksumAlgorithm: v.Object.Sum.Algorithm(),
		ChecksumType:      v.Object.Sum.Covers,
		RestoreStatus:     l.restoreStatus(v),
	}
}

const tokenMAC = 8 // bytes

// tokenKey authenticates continuation tokens. The server refuses a token that a client has made up,
// as S3 does. The key need not be secret, because a wrong token does no harm. The key is constant,
// so that a token is still valid after a restart.
var tokenKey = []byte("continuation-token")

// listToken encodes a position as a continuation token, with a MAC so that clients cannot make up tokens.
func listToken(p state.Position) string {
	kind := "k"
	if p.Prefix {
		kind = "p"
	}
	message := kind + p.Key
	sum := sign.MAC(tokenKey, message)
	return base64.StdEncoding.EncodeToString(append(sum[:tokenMAC], message...))
}

// parseListToken decodes a continuation token, and fails if listToken has not made it.
func parseListToken(token string) (state.Position, error) {
	invalid := s3error.New("InvalidArgument", "ArgumentName", "continuation-token", "ArgumentValue", token).
		WithMessage("The continuation token provided is incorrect")

	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) <= tokenMAC {
		return state.Position{}, invalid
	}
	sum := string(raw[:tokenMAC])
	message := string(raw[tokenMAC:])
	if !sign.Equal(sum, string(sign.MAC(tokenKey, message)[:tokenMAC])) {
		return state.Position{}, invalid
	}

	// A letter before the key says whether the key is a common prefix.
	return state.Position{Key: message[1:], Prefix: message[0] == 'p'}, nil
}

// listPage passes one page of current objects and common prefixes to show, as [state.Store.List] does. It
// leaves out the objects that a fault hides as too new, and fills the page with later ones.
func listPage(
	r *request.Request, l state.Listing, pos state.Position, show func(v *state.Version, common string),
) (hasMore bool, err error) {
	if r.Fault.Stale <= 0 || l.Max == 0 {
		return r.Server.Store.List(r.HTTP.Context(), r.Target.Bucket, l, pos, show)
	}

	newest := r.Server.Now().Add(-r.Fault.Stale) // time of the last write that the listing shows
	rest := l                                    // listing of the entries that the page still lacks
	reached := pos                               // position of the last entry that was listed
	showOld := func(v *state.Version, common string) {
		if v == nil {
			reached = state.Position{Key: common, Prefix: true}
		} else {
			reached = state.Position{Key: v.Key}
		}
		isHidden := v != nil && v.Modified.After(newest)
		if !isHidden {
			rest.Max--
			show(v, common)
		}
	}

	// Entries were left out, so list again from the position until the page is full.
	for {
		hasMore, err := r.Server.Store.List(r.HTTP.Context(), r.Target.Bucket, rest, reached, showOld)
		if err != nil {
			return false, err
		}
		if !hasMore || rest.Max <= 0 {
			return hasMore, nil
		}
	}
}

// listObjectsV1 responds to ListObjects. Like AWS, it returns a NextMarker only for a listing with a
// delimiter. Without one, clients continue after the last key that they have received.
func listObjectsV1(r *request.Request) error {
	l, err := readListing(r, "max-keys")
	if err != nil {
		return err
	}

	marker := r.Query.Get("marker")
	result := newObjectList(r, l)
	result.Marker = new(l.encode(marker))

	// A marker that is a common prefix skips all keys below the prefix.
	common, isPrefix := l.CommonPrefix(marker)
	pos := state.Position{Key: marker, Prefix: isPrefix && common == marker}

	owners, err := ownersOf(r)
	if err != nil {
		return err
	}
	last, err := result.fill(r, l, pos, owners)
	if err != nil {
		return err
	}

	if result.IsTruncated && l.Delimiter != "" {
		result.NextMarker = l.encode(last.Key)
	}
	return writeObjectList(r, result)
}

// ownersOf returns a function that returns the owner of an object in the request's bucket.
func ownersOf(r *request.Request) (func(*state.Object) accounts.Owner, error) {
	b, err := r.Bucket()
	return func(o *state.Object) accounts.Owner { return accounts.OwnerOf(b.OwnerOf(o)) }, err
}
