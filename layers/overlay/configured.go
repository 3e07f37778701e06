package overlay

import (
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func init() { driver.RegisterLayer("overlay", configure) }

// configure reads the layer's part of a configuration file.
func configure(settings driver.LayerSettings) (*driver.ConfiguredLayer, error) {
	var params struct {
		Old        string `yaml:"old"` // the name of the location that is the old store
		CopyOnRead bool   `yaml:"copy_on_read"`
		KeepOld    bool   `yaml:"keep_old"`
		NewOnly    bool   `yaml:"new_only"`
	}
	if err := settings(&params); err != nil {
		return nil, err
	}
	if params.Old == "" {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("old must name the location of the old store"),
		}
	}

	return &driver.ConfiguredLayer{
		Other: params.Old,
		Open: func(_ context.Context, p driver.LayerParts) (driver.Layer, io.Closer, error) {
			layer, err := New(p.Other, Config{
				CopyOnRead: params.CopyOnRead,
				KeepOld:    params.KeepOld,
				NewOnly:    params.NewOnly,
			})
			return layer, nil, err
		},
	}, nil
}
