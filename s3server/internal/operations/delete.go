package s3server

import (
	"cmp"
	"encoding/xml"
	"maps"
	"net/http"
	"slices"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// deleteObject deletes an object. Like S3, it returns 204 even if the object is missing.
func deleteObject(r *request) error {
	id, err := r.versionID()
	if err = cmp.Or(err, checkBypass(r)); err != nil {
		return err
	}
	if headertext.Lines(r.in.Header, "If-None-Match") != "" {
		return s3error.New("NotImplemented", "Header", "If-None-Match")
	}
	removal, err := remove(r, r.target.key, id, headertext.Lines(r.in.Header, "If-Match"))
	if err != nil {
		return err
	}
	noteRemoval(r, r.target.key, id, removal)
	header := r.w.Header()
	if removal.Marker {
		header.Set("X-Amz-Delete-Marker", "true")
	}
	if removal.ID != "" {
		header.Set("X-Amz-Version-Id", removal.ID)
	}
	return r.done(http.StatusNoContent)
}

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Object  []unwantedObject
}

type unwantedObject struct {
	Key, ETag string
	// LastModifiedTime and Size are conditions that S3 supports only for directory buckets.
	LastModifiedTime, Size string
	VersionID              string `xml:"VersionId"`
}

type deleteResult struct {
	Deleted []deletedObject
	Error   []deleteError
}

type deletedObject struct {
	Key                   xmldoc.Text
	VersionID             string `xml:"VersionId,omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
}

type deleteError struct {
	Key       xmldoc.Text
	VersionID string `xml:"VersionId,omitempty"`
	Code      string
	Message   xmldoc.Text
}

// deleteObjects deletes the objects that the document lists. It returns 200 with a result for each.
func deleteObjects(r *request) error {
	var asked deleteRequest
	if err := r.readVouched(&asked); err != nil {
		return err
	}
	if err := checkBypass(r); err != nil {
		return err
	}
	if len(asked.Object) == 0 || len(asked.Object) > r.server.limits.MaxBatch {
		return s3error.New("MalformedXML")
	}
	b, err := r.bucket()
	if err != nil {
		return concealed(r, err)
	}
	outcomes := deleteAll(r, b, asked.Object)
	var result deleteResult
	for i, o := range asked.Object {
		removal := outcomes[i].gone
		failure := outcomes[i].refused
		if failure != nil {
			result.Error = append(result.Error, *failure)
			continue
		}
		noteRemoval(r, o.Key, o.VersionID, removal)
		if asked.Quiet {
			continue
		}
		deleted := deletedObject{Key: xmldoc.Text(o.Key), VersionID: o.VersionID, DeleteMarker: removal.Marker}
		if removal.Marker {
			deleted.DeleteMarkerVersionID = removal.ID
		}
		result.Deleted = append(result.Deleted, deleted)
	}
	return r.writeXML("DeleteResult", result)
}

// deletesAtOnce is the number of keys that one request deletes concurrently.
const deletesAtOnce = 16

type deleteOutcome struct {
	gone    state.Removal
	refused *deleteError
}

// deleteAll deletes objects with different keys concurrently. Versions of one key are deleted in
// the order of the request.
func deleteAll(r *request, b *state.Bucket, objects []unwantedObject) []deleteOutcome {
	outcomes := make([]deleteOutcome, len(objects))
	byKey := map[string][]int{}
	for i, o := range objects {
		outcomes[i].refused = r.fault.denies(o.Key, o.VersionID)
		if outcomes[i].refused == nil {
			byKey[o.Key] = append(byKey[o.Key], i)
		}
	}
	keys := slices.Collect(maps.Values(byKey))
	parallel.All(len(keys), deletesAtOnce, func(k int) error {
		for _, i := range keys[k] {
			var err error
			if outcomes[i].gone, err = deleteOne(r, b, objects[i]); err != nil {
				e := asAPIError(err)
				outcomes[i].refused = &deleteError{
					xmldoc.Text(objects[i].Key), objects[i].VersionID, e.Code, xmldoc.Text(e.Message),
				}
			}
		}
		return nil
	})
	return outcomes
}

func deleteOne(r *request, b *state.Bucket, o unwantedObject) (gone state.Removal, err error) {
	if r.fault.ignores("ETag") {
		o.ETag = ""
	}
	if o.LastModifiedTime != "" || o.Size != "" {
		return gone, s3error.New("NotImplemented").
			WithMessage("This server does not implement the conditions LastModifiedTime and Size")
	}
	if o.Key == "" {
		return gone, s3error.New("UserKeyMustBeSpecified").WithMessage("Key must be specified")
	}
	if o.VersionID != "" && !r.server.store.ValidID(o.VersionID) {
		return gone, s3error.New("NoSuchVersion")
	}
	if err := checkKey(o.Key); err != nil {
		return gone, err
	}
	a := r.access(b, policy.ActionOn("s3:DeleteObject", o.VersionID != ""), o.Key, o.VersionID)
	a.etag = o.ETag
	if err := a.checkAll(); err != nil {
		return gone, err
	}
	return remove(r, o.Key, o.VersionID, o.ETag)
}

// remove removes a version or, without an id, the current object. If match is not "", the object must have
// that entity tag.
func remove(r *request, key, id, match string) (state.Removal, error) {
	return r.server.store.Remove(r.in.Context(), &state.RemoveRequest{
		VersionName: state.VersionName{Bucket: r.target.bucket, Key: key, ID: id},
		Condition:   state.WriteCondition{Match: match},
		Bypass:      isTrue(r.in.Header, bypassHeader),
		Account:     r.caller.account,
	})
}
