package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/writeid"
)

// A writeIDOption is the option of package writeid.
type writeIDOption string

func (o writeIDOption) applyUpload(r *storage.UploadOptions)   { settings(r).WriteID = string(o) }
func (o writeIDOption) applyMultipart(*storage.UploadOptions)  {} // an open upload has an id of its own
func (o writeIDOption) applyCopy(r *storage.CopyOptions)       { settings(r).WriteID = string(o) }
func (o writeIDOption) applySignedUpload(*storage.SignOptions) {}
func (o writeIDOption) applyAttrs(r *storage.DownloadOptions)  { settings(r).WriteID = string(o) }

func init() { writeid.Option = func(id string) any { return writeIDOption(id) } }
