package s3server

import (
	"cmp"
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// deleteObject returns 204 also for a missing object, as S3 does.
func deleteObject(r *request) error {
	id, err := r.versionID()
	if err = cmp.Or(err, checkBypass(r)); err != nil {
		return err
	}
	if r.in.Header.Get("If-None-Match") != "" {
		return s3error.New("NotImplemented", "Header", "If-None-Match")
	}
	gone, err := remove(r, &state.RemoveRequest{
		VersionName: state.VersionName{Bucket: r.target.bucket, Key: r.target.key, ID: id}, Condition: state.WriteCondition{Match: r.in.Header.Get("If-Match")}, Bypass: bypasses(r), Account: r.caller.account,
	})
	if err != nil {
		return err
	}
	header := r.w.Header()
	if gone.Marker {
		header.Set("X-Amz-Delete-Marker", "true")
	}
	if gone.ID != "" {
		header.Set("X-Amz-Version-Id", gone.ID)
	}
	return r.done(http.StatusNoContent)
}

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Object  []struct {
		Key, ETag              string
		LastModifiedTime, Size string // conditions that S3 has only in directory buckets
		VersionID              string `xml:"VersionId"`
	}
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

// deleteObjects returns 200 with a result for each key.
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
	var result deleteResult
	b, err := r.bucket()
	if err != nil {
		return err
	}
	for _, o := range asked.Object {
		if denied := r.fault.denies(o.Key, o.VersionID); denied != nil {
			result.Error = append(result.Error, *denied)
			continue
		}
		if r.fault.ignores("ETag") {
			o.ETag = ""
		}
		var gone state.Removal
		err := error(s3error.New("NotImplemented").WithMessage("This server does not implement the conditions LastModifiedTime and Size"))
		if o.LastModifiedTime == "" && o.Size == "" {
			gone, err = deleteOne(r, b, o.Key, o.VersionID, o.ETag)
		}
		if err != nil {
			e := asAPIError(err)
			result.Error = append(result.Error, deleteError{xmldoc.Text(o.Key), o.VersionID, e.Code, xmldoc.Text(e.Message)})
			continue
		}
		if asked.Quiet {
			continue
		}
		deleted := deletedObject{Key: xmldoc.Text(o.Key), VersionID: o.VersionID, DeleteMarker: gone.Marker}
		if gone.Marker {
			deleted.DeleteMarkerVersionID = gone.ID
		}
		result.Deleted = append(result.Deleted, deleted)
	}
	return r.writeXML("DeleteResult", result)
}

func deleteOne(r *request, b *state.Bucket, key, id, etag string) (state.Removal, error) {
	if key == "" {
		return state.Removal{}, s3error.New("UserKeyMustBeSpecified").WithMessage("Key must be specified")
	}
	if err := checkKey(key); err != nil {
		return state.Removal{}, err
	}
	if id != "" && !r.server.store.ValidID(id) {
		return state.Removal{}, s3error.New("NoSuchVersion")
	}
	if err := r.access(b, policy.ActionOn("s3:DeleteObject", id != ""), key, id).checkAll(); err != nil {
		return state.Removal{}, err
	}
	return remove(r, &state.RemoveRequest{
		VersionName: state.VersionName{Bucket: r.target.bucket, Key: key, ID: id}, Condition: state.WriteCondition{Match: etag}, Bypass: bypasses(r), Account: r.caller.account,
	})
}
