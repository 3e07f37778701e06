package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// Tags are stored as Google's custom object contexts. The JSON API supports them, and the XML API
// does not.
// https://cloud.google.com/storage/docs/object-contexts
const (
	maxContext = 256 // bytes of a context's key or value
	// dropContexts is the parameter that makes a copy or composition omit the contexts of its
	// sources.
	dropContexts   = "dropContextGroups"
	customContexts = "custom"

	tagTries = 4 // attempts for one change, if other clients change the object at the same time
)

// markedTag begins the stored form of a tag that Google would refuse. Google refuses a tag that is
// empty, begins with a sign such as "-", or has a slash. The stored form has "~" in place of each
// slash. No provider accepts "~" in a tag, so each "~" in a stored form stands for a slash.
//
// Only a copy from another provider can have such a tag. Options of this library refuse it.
const markedTag = "0~"

// encodeTag returns the text of a tag in a form that Google accepts.
func encodeTag(text string) string {
	if text != "" && isLetterOrDigit(text[0]) && !strings.Contains(text, "/") {
		return text
	}
	return markedTag + strings.ReplaceAll(text, "/", "~")
}

// encodeTagKey encodes a key as encodeTag does, and also if it begins like Google's own keys, with
// "goog".
func encodeTagKey(key string) string {
	if len(key) >= 4 && strings.EqualFold(key[:4], "goog") {
		return markedTag + strings.ReplaceAll(key, "/", "~")
	}
	return encodeTag(key)
}

func isLetterOrDigit(c byte) bool {
	isDigit := '0' <= c && c <= '9'
	isLetter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
	return isDigit || isLetter
}

// decodeTag returns the text that encodeTag has encoded.
func decodeTag(text string) string {
	marked, ok := strings.CutPrefix(text, markedTag)
	if !ok {
		return text
	}
	return strings.ReplaceAll(marked, "~", "/")
}

// contextsToSet returns the object contexts in which Google stores the tags, or nil if there are no
// tags. It fails with Unsupported if a tag is too long for a context.
func contextsToSet(tags map[string]string) (*gcs.ObjectContexts, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	custom := make(map[string]gcs.ObjectCustomContextPayload, len(tags))
	for key, value := range tags {
		key = encodeTagKey(key)
		value = encodeTag(value)
		if len(key) > maxContext || len(value) > maxContext {
			return nil, &storage.Error{
				Code: storage.Unsupported,
				Hint: "Google keeps 256 bytes of a tag's key or value; two of them are taken if it begins with a sign or has a slash",
			}
		}
		custom[key] = gcs.ObjectCustomContextPayload{Value: value}
	}
	return &gcs.ObjectContexts{Custom: custom}, nil
}

// tagsOf returns the tags of an object, which Google stores as object contexts, or nil if it has none.
func tagsOf(o *gcs.ObjectAttrs) map[string]string {
	if o.Contexts == nil || len(o.Contexts.Custom) == 0 {
		return nil
	}
	tags := make(map[string]string, len(o.Contexts.Custom))
	for key, context := range o.Contexts.Custom {
		tags[decodeTag(key)] = decodeTag(context.Value)
	}
	return tags
}

// Tags requests the attributes of the object, because they include the object contexts, in which the
// tags are stored.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	attrs, err := d.bucket.find(ctx, r)
	if err != nil {
		return nil, err
	}
	return tagsOf(attrs), nil
}

// SetTags reads the contexts, which are Google's object tags, and then replaces them, because Google
// has no single request that replaces all contexts. If another client has changed the object in
// between, SetTags starts over.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	contexts, err := contextsToSet(r.Tags)
	if err != nil {
		return err
	}

	var conflictErr error
	for range tagTries {
		req := &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1, Native: r.Native}
		attrs, err := d.bucket.find(ctx, req)
		if err != nil {
			return err
		}
		hasNothingToRemove := contexts == nil && len(tagsOf(attrs)) == 0
		if hasNothingToRemove {
			return nil
		}

		err = d.replaceContexts(ctx, r, attrs, contexts)
		if statusOf(err) != http.StatusPreconditionFailed {
			return d.bucket.changeError(ctx, err)
		}
		conflictErr = err
	}
	return sdkerror.WithCode(conflictErr, storage.Unavailable, "other clients are changing the object: try again")
}

// replaceContexts replaces the contexts of the generation that SetTags has read, and fails if the
// object's metadata has changed since that read.
func (d *objectDriver) replaceContexts(
	ctx context.Context, r *driver.ChangeRequest, attrs *gcs.ObjectAttrs, wanted *gcs.ObjectContexts,
) error {
	document, err := json.Marshal(map[string]*contexts{"contexts": contextsPatch(attrs.Contexts, wanted)})
	if err != nil {
		return &storage.Error{Code: storage.Internal, Err: err}
	}

	query := url.Values{
		"generation":            {decimal(attrs.Generation)},
		"ifMetagenerationMatch": {decimal(attrs.Metageneration)},
		"fields":                {"generation"},
		"prettyPrint":           {"false"},
	}

	opts := newCallOptions(r.Native)
	_, err = write(withCallOptions(ctx, opts), func(ctx context.Context) (*resource, error) {
		req, err := d.account.request(ctx, http.MethodPatch, d.bucket.resourcePath(r.Key, query),
			bytes.NewReader(document), int64(len(document)))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json; charset=UTF-8")
		opts.key.SetHeaders(req.Header, "X-Goog-")

		resp, err := d.account.send(req, http.StatusOK)
		if err != nil {
			return nil, err
		}
		return readResource(resp)
	})
	return err
}

// contextsPatch returns a patch that changes the old contexts into the wanted ones. In a patch, null
// removes a key, and a patch that is null removes all keys.
func contextsPatch(old, wanted *gcs.ObjectContexts) *contexts {
	if wanted == nil {
		return nil
	}
	patch := &contexts{Custom: make(map[string]*contextValue, len(wanted.Custom))}
	if old != nil {
		for key := range old.Custom {
			patch.Custom[key] = nil
		}
	}

	// A wanted key replaces the null of an old one.
	for key, context := range wanted.Custom {
		patch.Custom[key] = &contextValue{context.Value}
	}
	return patch
}
