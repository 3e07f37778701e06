package main

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage"
)

const plainSend = "io.Copy from the file"

// sendRows returns rows that write the content of an object or file to a socket.
func sendRows(bytes int64) []row {
	return []row{
		{
			// The library does not verify the checksum of a range. So the kernel can send the bytes
			// without copying them to this process.
			name:  ours,
			setup: func(e *env) (opFunc, error) { return sendObject(e, bytes, storage.WithRange(0, bytes)) },
		},
		{
			name:  ours + ", verified",
			setup: func(e *env) (opFunc, error) { return sendObject(e, bytes) },
		},
		{
			name:  plainSend,
			setup: func(e *env) (opFunc, error) { return sendFile(e, bytes) },
		},
	}
}

// sendObject returns an op that downloads an object of the given size to a socket.
func sendObject(e *env, bytes int64, opts ...storage.DownloadOption) (opFunc, error) {
	dir, err := e.dir()
	if err != nil {
		return nil, err
	}
	s, err := openOwn(e, dir, false)
	if err != nil {
		return nil, err
	}
	if err := s.put(e.ctx, "large", make([]byte, bytes)); err != nil {
		return nil, err
	}
	return sendOp(e, bytes, func(dst io.Writer) (int64, error) {
		r, err := s.bucket.Download(e.ctx, "large", opts...)
		if err != nil {
			return 0, err
		}
		n, err := io.Copy(dst, r)
		return n, errors.Join(err, r.Close())
	})
}

// sendFile returns an op that copies a file of the given size to a socket.
func sendFile(e *env, bytes int64) (opFunc, error) {
	dir, err := e.dir()
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "large")
	if err := os.WriteFile(name, make([]byte, bytes), 0o600); err != nil {
		return nil, err
	}
	return sendOp(e, bytes, func(dst io.Writer) (int64, error) {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		n, err := io.Copy(dst, f)
		return n, errors.Join(err, f.Close())
	})
}

// sendOp returns an op that calls send with a socket. A goroutine at the other end of the socket
// discards the data.
func sendOp(e *env, want int64, send func(io.Writer) (int64, error)) (opFunc, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}

	// The other end discards what it receives, until the socket is closed.
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		drainPeer(listener)
	}()

	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	e.cleanup = append(e.cleanup, func() error {
		err := errors.Join(conn.Close(), listener.Close())
		<-drained
		return err
	})

	return repeated(func() error {
		got, err := send(conn)
		return errors.Join(err, checkCount(int(got), int(want)))
	}), nil
}

// drainPeer accepts one connection, and discards what it receives.
func drainPeer(listener net.Listener) {
	peer, err := listener.Accept()
	if err != nil {
		return
	}
	buffer := make([]byte, 256<<10)
	// The structs hide ReadFrom and WriteTo, with which CopyBuffer would not use the buffer.
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{peer}, buffer)
	_ = peer.Close()
}
