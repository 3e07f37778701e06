package overlay

import (
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func init() { driver.RegisterLayer("overlay", configure) }

// configure reads the part of a configuration file that belongs to the layer.
func configure(settings driver.LayerSettings) (*driver.ConfiguredLayer, error) {
	var given struct {
		Old        string `yaml:"old"` // the name of the location that is the old store
		CopyOnRead bool   `yaml:"copy_on_read"`
		KeepOld    bool   `yaml:"keep_old"`
		NewOnly    bool   `yaml:"new_only"`
	}
	if err := settings(&given); err != nil {
		return nil, err
	}
	if given.Old == "" {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("old must name the location of the old store"),
		}
	}
	return &driver.ConfiguredLayer{
		Other: given.Old,
		Open: func(_ context.Context, p driver.LayerParts) (driver.Layer, io.Closer, error) {
			layer, err := New(p.Other, Config{CopyOnRead: given.CopyOnRead, KeepOld: given.KeepOld, NewOnly: given.NewOnly})
			return layer, nil, err
		},
	}, nil
}
