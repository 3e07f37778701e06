package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/core/seam"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/serving"
)

// init sets functions of the packages serving and seam, through which other packages of this module
// call what this package does not export.
func init() {
	serving.Record = startRecord
	serving.Continue = func(
		ctx context.Context, b any, key string, part *partfile.File, opts any, progress func(done, total int64),
	) (any, bool, error) {
		return continueDownload(ctx, b.(Downloader), key, part, opts.([]DownloadOption), progress)
	}
	seam.StateOf = stateOf
	seam.OptionsOf = optionsOf
	seam.InitReader = initReader
}
