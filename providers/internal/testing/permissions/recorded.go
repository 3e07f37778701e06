package permissions

import (
	"slices"

	"github.com/omnibucket/storage/permissions"
)

// NeedsByBucket returns the permissions that the recorded requests need on each bucket, sorted. Those
// on the account have the key "". The requests must be path-style: the path begins with the bucket.
func (r *Recorder) NeedsByBucket(p permissions.Provider) (map[string][]string, error) {
	classifier := classifiers[p]()
	_, exchanges := r.exchanges()
	needs := map[string][]string{}
	for i := range exchanges {
		names, err := classifier.needs(&exchanges[i])
		if err != nil {
			return nil, err
		}
		bucket, _ := exchanges[i].split() // the key does not matter
		needs[bucket] = append(needs[bucket], names...)
	}

	for bucket, names := range needs {
		slices.Sort(names)
		needs[bucket] = slices.Compact(names)
	}
	return needs, nil
}
