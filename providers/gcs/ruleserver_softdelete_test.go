package gcs_test

import (
	"net/http"
	"time"
)

// softDelete keeps a generation that would otherwise be gone for good. All buckets do so for seven
// days, which is Google's default. https://cloud.google.com/storage/docs/soft-delete
func (b *ruleBucket) softDelete(o *ruleObject) {
	version := *o
	now := time.Now().UTC()
	version.SoftDeleteTime = now.Format(time.RFC3339Nano)
	version.HardDeleteTime = now.AddDate(0, 0, 7).Format(time.RFC3339Nano)
	b.removed = append(b.removed, &version)
}

// restore handles "b/BUCKET/o/OBJECT/restore": the generation is copied, and stays soft-deleted.
// https://cloud.google.com/storage/docs/json_api/v1/objects/restore
func (s *ruleServer) restore(b *ruleBucket, path []string, r *http.Request) (any, *refusal) {
	query := r.URL.Query()
	if query.Get("generation") == "" {
		return nil, invalidArgument("Required parameter: generation")
	}
	for _, version := range b.removed {
		if version.Name != path[3] || version.Generation != query.Get("generation") {
			continue
		}
		restored := *version
		restored.SoftDeleteTime = ""
		restored.HardDeleteTime = ""
		if problem := s.insert(b, &restored, query, version.data, version.MD5Hash == ""); problem != nil {
			return nil, problem
		}
		return restored.as(r.Header), nil
	}
	return nil, missingObject(path[1], path[3])
}
