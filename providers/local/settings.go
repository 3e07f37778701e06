package local

import (
	"context"
	"encoding/json"
	"time"

	"github.com/omnibucket/storage"
)

// bucketSettings are the settings of a bucket, in the file settingsPath.
type bucketSettings struct {
	Created    time.Time               `json:"created,omitzero"`
	Region     string                  `json:"region,omitempty"`
	Public     bool                    `json:"public,omitempty"`
	Versioning bool                    `json:"versioning,omitempty"`
	CORS       []storage.CORSRule      `json:"cors,omitempty"`
	Lifecycle  []storage.LifecycleRule `json:"lifecycle,omitempty"`
}

// settings returns the settings of the bucket. If it has none, it returns the zero value.
func (s *store) settings() (bucketSettings, error) {
	var out bucketSettings
	b, err := s.root.ReadFile(settingsPath)
	if isNotExist(err) {
		return out, nil
	}
	if err != nil {
		return out, failure(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, damaged(settingsPath, err)
	}
	return out, nil
}

func (s *store) saveSettings(ctx context.Context, b bucketSettings) error {
	w, err := s.stagingDir(ctx)
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return failure(err)
	}
	return s.replaceFile(settingsPath, w.dir.path, append(content, '\n'), 0o666)
}

// apply sets the settings that r has.
func (b *bucketSettings) apply(r *storage.BucketRequest) {
	if r.PublicAccess != nil {
		b.Public = *r.PublicAccess
	}
	if r.Versioning != nil {
		b.Versioning = *r.Versioning
	}
	if r.CORS != nil {
		b.CORS = *r.CORS
	}
	if r.Lifecycle != nil {
		b.Lifecycle = *r.Lifecycle
	}
}

func (b *bucketSettings) info(name string) *storage.BucketInfo {
	return &storage.BucketInfo{
		Name: name, Provider: provider, Region: b.Region, Created: b.Created,
		Public: b.Public, Versioning: b.Versioning, CORS: b.CORS, Lifecycle: b.Lifecycle,
	}
}
