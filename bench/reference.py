"""Hand-written opponents: the same variational algorithm in plain torch, Pyro's AutoNormal, and simulation in plain
NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyro
import pyro.distributions as dist
import torch
import torch.nn.functional as F
from torch.optim.adam import adam

from bench.world import DIM

WIDTH = DIM + 2


class Rows:
    """Location and log-scale of each row with lazy Adam, as a careful engineer would write it by hand."""

    def __init__(self, n: int) -> None:
        self.table = torch.stack([torch.randn(n, WIDTH) * 0.1, torch.full((n, WIDTH), -3.0)])
        self.first, self.second = torch.zeros_like(self.table), torch.zeros_like(self.table)
        self.age = torch.zeros(())

    def step(
        self, params: list[torch.Tensor], grads: list[torch.Tensor], m: list[torch.Tensor], v: list[torch.Tensor]
    ) -> None:
        self.age += 1
        adam(
            params,
            grads,
            m,
            v,
            [],
            [self.age.clone() for _ in params],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.99,
            lr=0.02,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def update_slice(self, a: int, b: int, grad: torch.Tensor) -> None:
        self.step(
            [self.table[k, a:b] for k in (0, 1)],
            [grad[0], grad[1]],
            [self.first[k, a:b] for k in (0, 1)],
            [self.second[k, a:b] for k in (0, 1)],
        )

    def update_rows(self, rows: torch.Tensor, new: torch.Tensor, grad: torch.Tensor) -> None:
        m, v = self.first.index_select(1, rows), self.second.index_select(1, rows)
        self.step([new], [grad], [m], [v])
        for whole, part in ((self.table, new), (self.first, m), (self.second, v)):
            whole.index_copy_(1, rows, part)


def torch_blocks(data: dict[str, np.ndarray], users: int, items: int, batch: int) -> tuple[Callable[[int], float], int]:
    """Step function over blocks of users with all their opportunities, clicks on exposed rows only; and the number of
    blocks.
    """
    counts = np.bincount(data["user"], minlength=users)
    pointer = np.concatenate([[0], np.cumsum(counts)])
    cuts = np.unique(np.concatenate([np.searchsorted(pointer, np.arange(0, pointer[-1], batch)), [users]]))
    whole = torch.from_numpy(np.bincount(data["item"], minlength=items)).clamp(min=1).float()
    user_rows, item_rows = Rows(users), Rows(items)
    kept: dict[int, tuple] = {}

    def block(k: int) -> tuple:
        if k not in kept:
            a, b = int(cuts[k]), int(cuts[k + 1])
            part = slice(int(pointer[a]), int(pointer[b]))
            found, local, count = np.unique(data["item"][part], return_inverse=True, return_counts=True)
            found, local = torch.from_numpy(found), torch.from_numpy(local)
            user = torch.from_numpy(data["user"][part] - a)
            exposure, click = torch.from_numpy(data["exposure"][part]), torch.from_numpy(data["click"][part])
            shown = exposure.nonzero().squeeze(1)
            share = torch.from_numpy(count).float() / whole[found]
            kept[k] = (a, b, found, local, user, exposure, shown, user[shown], local[shown], click[shown], share)
        return kept[k]

    def step(number: int) -> float:
        a, b, found, local, user, exposure, _, u, i, click, share = block(number % (len(cuts) - 1))
        left = user_rows.table[:, a:b].contiguous().requires_grad_()
        right = item_rows.table.index_select(1, found).requires_grad_()
        (ul, us), (il, is_) = left.unbind(0), right.unbind(0)
        ue, ie = us.exp(), is_.exp()
        zu, zi = torch.addcmul(ul, ue, torch.randn_like(ul)), torch.addcmul(il, ie, torch.randn_like(il))
        (uf, ub, ua), (vf, vb, vp) = zu.split([DIM, 1, 1], 1), zi.split([DIM, 1, 1], 1)
        shown = ua.squeeze(1).index_select(0, user) + vp.squeeze(1).index_select(0, local)
        liked = torch.linalg.vecdot(uf.contiguous().index_select(0, u), vf.contiguous().index_select(0, i))
        liked = liked + ub.squeeze(1).index_select(0, u) + vb.squeeze(1).index_select(0, i)
        kl = 0.5 * (ul * ul + ue * ue).sum() - us.sum() - 0.5 * us.numel()
        kl = kl + ((0.5 * (il * il + ie * ie) - is_).sum(1) - 0.5 * WIDTH).dot(share)
        loss = kl + F.binary_cross_entropy_with_logits(shown, exposure, reduction="sum")
        loss = (loss + F.binary_cross_entropy_with_logits(liked, click, reduction="sum")) / len(user)
        loss.backward()
        with torch.no_grad():
            user_rows.update_slice(a, b, left.grad)
            item_rows.update_rows(found, right.detach(), right.grad)
        return float(loss)

    return step, len(cuts) - 1


def auto_normal(data: dict[str, np.ndarray], users: int, items: int, batch: int) -> Callable[[int], float]:
    """Step function of Pyro's SVI with AutoNormal over whole tables and shuffled batches of events."""
    order = np.random.default_rng(1).permutation(len(data["user"]))[: 40 * batch]
    u, i, e, y = (torch.from_numpy(data[name][order]) for name in ("user", "item", "exposure", "click"))

    def latents(n: int, plate: str, names: tuple[str, str, str]) -> list[torch.Tensor]:
        with pyro.plate(plate, n, dim=-1):
            return [
                pyro.sample(names[0], dist.Normal(0.0, 1.0).expand([DIM]).to_event(1)),
                *(pyro.sample(name, dist.Normal(0.0, 1.0)) for name in names[1:]),
            ]

    def model(user: torch.Tensor, item: torch.Tensor, exposure: torch.Tensor, click: torch.Tensor) -> None:
        uf, ub, ua = latents(users, "users", ("preference", "leniency", "activity"))
        vf, vb, vp = latents(items, "items", ("attribute", "quality", "popularity"))
        with pyro.plate("opportunities", len(u), subsample=torch.arange(len(user)), dim=-1):
            pyro.sample("exposure", dist.Bernoulli(logits=ua[user] + vp[item]), obs=exposure)
            with pyro.poutine.mask(mask=exposure.bool()):
                pyro.sample(
                    "click", dist.Bernoulli(logits=(uf[user] * vf[item]).sum(-1) + ub[user] + vb[item]), obs=click
                )

    guide = pyro.infer.autoguide.AutoNormal(model, init_scale=0.1)
    svi = pyro.infer.SVI(model, guide, pyro.optim.Adam({"lr": 0.01}), pyro.infer.TraceMeanField_ELBO())

    def step(number: int) -> float:
        k = number % max(1, len(u) // batch)
        part = slice(k * batch, (k + 1) * batch)
        return float(svi.step(u[part], i[part], e[part], y[part]))

    return step


def numpy_simulation(
    tables: tuple[np.ndarray, np.ndarray], rows: int, path: Path, seed: int = 0, piece: int = 125_000
) -> None:
    """A million uniform exposures with clicks from float32 tables ``[n, 18]``, written to Parquet as fast as plain
    NumPy can.
    """
    rng = np.random.Generator(np.random.SFC64(seed))
    left, right = tables
    schema = pa.schema([("user", pa.int64()), ("item", pa.int64()), ("click", pa.int8()), ("propensity", pa.float32())])
    per_user = max(1, round(rows / len(left)))
    chance = np.float32(per_user / len(right))
    lf, rf = np.ascontiguousarray(left[:, :DIM]), np.ascontiguousarray(right[:, :DIM])
    lb, rb = np.ascontiguousarray(left[:, DIM]), np.ascontiguousarray(right[:, DIM])
    with pq.ParquetWriter(path, schema, use_dictionary=["click"]) as writer:
        for start in range(0, rows, piece):
            n = min(piece, rows - start)
            user = np.repeat(np.arange(start // per_user, start // per_user + n // per_user + 1), per_user)[:n] % len(
                left
            )
            item = rng.integers(0, len(right), n)
            logit = np.einsum("ij,ij->i", lf.take(user, 0), rf.take(item, 0)) + lb.take(user) + rb.take(item)
            click = (rng.random(n, dtype=np.float32) * (1 + np.exp(-logit)) < 1).view(np.int8)
            columns = [pa.array(c) for c in (user, item, click, np.full(n, chance, np.float32))]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
