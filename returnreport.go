package kaizen

import "github.com/kaizenmail/kaizen/queue"

func (c *Client) report(j *queue.Job) {}
