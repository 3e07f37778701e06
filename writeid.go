package storage

import "github.com/omnibucket/storage/internal/writeid"

// A writeIDOption is the option of package writeid.
type writeIDOption string

func (o writeIDOption) applyUpload(r *UploadOptions)   { r.set.WriteID = string(o) }
func (o writeIDOption) applyMultipart(*UploadOptions)  {} // an open upload has an id of its own
func (o writeIDOption) applyCopy(r *CopyOptions)       { r.set.WriteID = string(o) }
func (o writeIDOption) applySignedUpload(*SignOptions) {}
func (o writeIDOption) applyAttrs(r *DownloadOptions)  { r.set.WriteID = string(o) }

func init() { writeid.Option = func(id string) any { return writeIDOption(id) } }
