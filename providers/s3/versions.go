package s3

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
)

// ListVersions is one ListObjectVersions. A version that was written before the
// bucket kept any is named "null", and can be addressed so.
func (d *driver) ListVersions(ctx context.Context, r *storage.ListRequest) (*storage.VersionPage, error) {
	key, id, err := readVersionToken(r.Token)
	if err != nil {
		return nil, err
	}
	limit := min(r.Limit, maxPage)
	in := &awss3.ListObjectVersionsInput{
		Bucket:          d.name(),
		Prefix:          set(r.Prefix),
		Delimiter:       set(r.Delimiter),
		MaxKeys:         aws.Int32(int32(limit)),
		KeyMarker:       set(key),
		VersionIdMarker: set(id),
		EncodingType:    types.EncodingTypeUrl,
	}
	if id != "" { // some servers begin with the marker's own version
		in.MaxKeys = aws.Int32(int32(min(limit+1, maxPage)))
	}
	var order orderedBody
	out, err := d.client.ListObjectVersions(ctx, in, order.watch)
	if err != nil {
		return nil, d.listFailed(err)
	}
	names := namesOf(out.EncodingType)
	entries := versionEntries(out, order.markers, names)
	if names.failed != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: names.failed}
	}
	if id != "" {
		entries = slices.DeleteFunc(entries, func(e storage.VersionEntry) bool { return e.Key == key && e.Version == id })
	}
	page := &storage.VersionPage{Entries: entries}
	switch {
	case len(entries) > limit:
		page.Entries = entries[:limit]
		page.Token = versionToken(entries[limit-1].Key, entries[limit-1].Version)
	case aws.ToBool(out.IsTruncated):
		page.Token = versionToken(names.read(out.NextKeyMarker), aws.ToString(out.NextVersionIdMarker))
	}
	if page.Token != "" && page.Token == r.Token {
		return nil, &storage.Error{Code: storage.Internal, Err: errors.New("the listing goes on, and does not move")}
	}
	return page, nil
}

// versionEntries joins what the SDK has apart, in the order of the answer:
// markers tells of each element whether it is a delete marker.
func versionEntries(out *awss3.ListObjectVersionsOutput, markers []bool, names *names) []storage.VersionEntry {
	entries := make([]storage.VersionEntry, 0, len(out.Versions)+len(out.DeleteMarkers)+len(out.CommonPrefixes))
	version := func(v *types.ObjectVersion) storage.VersionEntry {
		return storage.VersionEntry{
			ListEntry: storage.ListEntry{
				Key:      names.read(v.Key),
				Size:     aws.ToInt64(v.Size),
				ETag:     quoted(v.ETag),
				Revision: quoted(v.ETag),
				Modified: modified(v.LastModified),
			},
			Version: aws.ToString(v.VersionId),
			Current: aws.ToBool(v.IsLatest),
		}
	}
	marker := func(m *types.DeleteMarkerEntry) storage.VersionEntry {
		return storage.VersionEntry{
			ListEntry: storage.ListEntry{Key: names.read(m.Key), Modified: modified(m.LastModified)},
			Version:   aws.ToString(m.VersionId),
			Current:   aws.ToBool(m.IsLatest),
			IsDelete:  true,
		}
	}
	v, m := out.Versions, out.DeleteMarkers
	for _, isMarker := range markers {
		switch {
		case isMarker && len(m) > 0:
			entries, m = append(entries, marker(&m[0])), m[1:]
		case !isMarker && len(v) > 0:
			entries, v = append(entries, version(&v[0])), v[1:]
		}
	}
	for i := range v {
		entries = append(entries, version(&v[i]))
	}
	for i := range m {
		entries = append(entries, marker(&m[i]))
	}
	for _, p := range out.CommonPrefixes {
		entries = append(entries, storage.VersionEntry{ListEntry: storage.ListEntry{Key: names.read(p.Prefix), IsPrefix: true}})
	}
	// Some servers have all versions first and all markers behind them; where
	// the answer was in order already, nothing moves.
	slices.SortStableFunc(entries, newestFirst)
	return entries
}

func newestFirst(a, b storage.VersionEntry) int {
	if by := strings.Compare(a.Key, b.Key); by != 0 {
		return by
	}
	switch {
	case a.Current && !b.Current:
		return -1
	case b.Current && !a.Current:
		return 1
	}
	return b.Modified.Compare(a.Modified)
}

// An orderedBody remembers the order of versions and delete markers in an
// answer, which the SDK's two lists lose: within one second there is no other.
type orderedBody struct{ markers []bool }

func (b *orderedBody) watch(o *awss3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("omnibucket:OrderOfVersions", b.handle), middleware.After)
	})
}

func (b *orderedBody) handle(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.StatusCode != 200 {
		return out, metadata, err
	}
	page, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return out, metadata, err
	}
	response.Body = io.NopCloser(strings.NewReader(string(page)))
	b.read(strings.NewReader(string(page)))
	return out, metadata, nil
}

// read takes in the order as far as the XML can be read: the rest is the SDK's
// to complain of.
func (b *orderedBody) read(page io.Reader) {
	decoder := xml.NewDecoder(page)
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return
		}
		switch element := token.(type) {
		case xml.StartElement:
			if depth++; depth != 2 {
				continue
			}
			switch element.Name.Local {
			case "Version":
				b.markers = append(b.markers, false)
			case "DeleteMarker":
				b.markers = append(b.markers, true)
			}
		case xml.EndElement:
			depth--
		}
	}
}

// A token is where the next page begins: a version and a key, which may hold
// any character that could part them.
func versionToken(key, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(id)) + "." + base64.RawURLEncoding.EncodeToString([]byte(key))
}

func readVersionToken(token string) (key, id string, err error) {
	if token == "" {
		return "", "", nil
	}
	rawID, rawKey, found := strings.Cut(token, ".")
	idBytes, err := base64.RawURLEncoding.DecodeString(rawID)
	keyBytes, err2 := base64.RawURLEncoding.DecodeString(rawKey)
	if err := errors.Join(err, err2); err != nil || !found || len(keyBytes) == 0 {
		return "", "", invalid("token", "must be one of this bucket's", "")
	}
	return string(keyBytes), string(idBytes), nil
}
